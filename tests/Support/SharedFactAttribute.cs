namespace EFedLLM.Tests.Support;

/// <summary>A test that needs the shared models. On a bare clone it says why it skips; in CI a missing folder fails it.</summary>
internal sealed class SharedFactAttribute : FactAttribute
{
    public SharedFactAttribute() => Skip = SharedReason.Text;
}

/// <summary>A theory that needs the shared models.</summary>
internal sealed class SharedTheoryAttribute : TheoryAttribute
{
    public SharedTheoryAttribute() => Skip = SharedReason.Text;
}

internal static class SharedReason
{
    public static string? Text => SharedModels.Root is null && Environment.GetEnvironmentVariable("CI") is not ("true" or "1")
        ? "The shared models are not here: set EFEDLLM_SHARED to the folder that holds models/ and data/."
        : null;
}
