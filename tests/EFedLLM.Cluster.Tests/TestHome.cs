namespace EFedLLM.Cluster.Tests;

/// <summary>The user's folder of all processes of this test run, so that the bundled model is compressed once. It goes with the run.</summary>
internal static class TestHome
{
    static TestHome() => AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(Path, recursive: true);

    public static string Path { get; } = Directory.CreateTempSubdirectory("efedllm-tests-").FullName;

    /// <summary>The environment of another user on another machine, who has no model.</summary>
    /// <param name="settings">Further variables.</param>
    public static Dictionary<string, string> Empty(params (string Name, string Value)[] settings)
        => new(settings.Select(setting => KeyValuePair.Create(setting.Name, setting.Value))) { ["EFEDLLM_HOME"] = NewFolder("empty-home") };

    /// <summary>A new empty folder in it.</summary>
    public static string NewFolder(string name) => Directory.CreateDirectory(System.IO.Path.Combine(Path, $"{name}-{Guid.NewGuid():n}")).FullName;
}
