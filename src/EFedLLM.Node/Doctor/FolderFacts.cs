namespace EFedLLM.Node.Doctor;

/// <summary>What was measured of the data folder.</summary>
/// <param name="Path">The folder, or the nearest one above it that is there.</param>
/// <param name="FreeBytes">Bytes free on its disk; null where the system does not say.</param>
/// <param name="Problem">Why nothing can be written there; null where it can.</param>
internal sealed record FolderFacts(string Path, long? FreeBytes, string? Problem)
{
    private const long LittleSpace = 2_000_000_000;
    private const long TooLittleSpace = 200_000_000;

    /// <summary>Measures a folder. A file is written and taken away again; a folder that is not there is not made.</summary>
    /// <param name="folder">The folder.</param>
    public static FolderFacts Measure(string folder)
    {
        var path = System.IO.Path.GetFullPath(folder);
        while (!Directory.Exists(path) && System.IO.Path.GetDirectoryName(path) is { } above)
        {
            path = above;
        }

        string? problem = null;
        long? free = null;
        try
        {
            free = new DriveInfo(path).AvailableFreeSpace;
            var probe = System.IO.Path.Combine(path, $".efedllm-doctor-{Guid.NewGuid():n}");
            using (new FileStream(probe, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1, FileOptions.DeleteOnClose))
            {
                // Being able to make it is the test.
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException)
        {
            problem = error.Message;
        }

        return new FolderFacts(path, free, problem);
    }

    /// <summary>What it comes to. Pure.</summary>
    public Finding Judge() => this switch
    {
        { Problem: { } problem } => Finding.Bad("disk", $"nothing can be written in {Path}: {problem}", "Name another folder with --data, or set EFEDLLM_HOME."),
        { FreeBytes: < TooLittleSpace and var free } => Finding.Bad("disk", $"{Output.Say.Bytes(free)} are free in {Path}", "Models, logs and the ledger do not fit: make room, or name a folder on another disk with --data."),
        { FreeBytes: < LittleSpace and var free } => Finding.Doubtful("disk", $"{Output.Say.Bytes(free)} are free in {Path}", "Only small models fit: make room, or name a folder on another disk with --data."),
        _ => Finding.Good("disk", $"{(FreeBytes is { } free ? $"{Output.Say.Bytes(free)} are free in {Path}" : Path)}, and it can be written"),
    };
}
