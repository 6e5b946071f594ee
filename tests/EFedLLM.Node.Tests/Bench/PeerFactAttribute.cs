namespace EFedLLM.Node.Tests.Bench;

/// <summary>A test that starts a <see cref="FakePeer"/>, which is a shell script.</summary>
internal sealed class PeerFactAttribute : FactAttribute
{
    public PeerFactAttribute() => Skip = OperatingSystem.IsWindows() ? "A shell script is no program on Windows." : null;
}
