namespace EFedLLM.Node.Supervision;

/// <summary>How this very program is started once more.</summary>
internal static class OwnProgram
{
    /// <summary>The file to run and the arguments that come before its own.</summary>
    public static (string File, IReadOnlyList<string> First) Command()
    {
        var assembly = Path.Combine(AppContext.BaseDirectory, "efedllm.dll");
        var process = Environment.ProcessPath ?? "dotnet";
        // Under "dotnet efedllm.dll" or a test host, the running file is not ours.
        return Path.GetFileNameWithoutExtension(process) == "efedllm" ? (process, []) : (DotnetHost(process), ["exec", assembly]);
    }

    /// <summary>How a person types it in this folder.</summary>
    public static string ForPeople()
    {
        var (file, first) = Command();
        if (first.Count > 0)
        {
            return $"dotnet {Shorter(first[^1])}";
        }

        return OnPath(file) ? "efedllm" : Shorter(file);
    }

    private static string DotnetHost(string process) => Path.GetFileNameWithoutExtension(process) == "dotnet" ? process : "dotnet";

    private static bool OnPath(string file) => (Environment.GetEnvironmentVariable("PATH") ?? "")
        .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
        .Any(folder => string.Equals(Path.TrimEndingDirectorySeparator(folder), Path.GetDirectoryName(file), StringComparison.Ordinal));

    private static string Shorter(string path)
    {
        var relative = Path.GetRelativePath(Environment.CurrentDirectory, path);
        var shown = relative.Length < path.Length && !relative.StartsWith("..", StringComparison.Ordinal)
            ? Path.Combine(".", relative)
            : path;
        return shown.Contains(' ', StringComparison.Ordinal) ? $"\"{shown}\"" : shown;
    }
}
