using System.Globalization;
using EFedLLM.Node.Client;
using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Hosting;

namespace EFedLLM.Node.Supervision;

/// <summary>A folder that belongs to one process at a time; the claim ends with the process, however it ends.</summary>
internal sealed class DataFolder : IDisposable
{
    private const int MostClusters = 100;

    private readonly FileStream _claim;

    private DataFolder(string path, FileStream claim) => (Path, _claim) = (path, claim);

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>Claims the folder named, or the first free one of the user's own.</summary>
    /// <param name="named">A folder, or null.</param>
    /// <param name="kind">Names the user's folders, for example <c>cluster</c>.</param>
    /// <exception cref="UserErrorException">The folder named is in use.</exception>
    public static DataFolder Claim(string? named, string kind)
    {
        if (named is not null)
        {
            return TryClaim(System.IO.Path.GetFullPath(named))
                ?? throw new UserErrorException($"The data folder {named} is in use by another running node; end that or name another with --data.");
        }

        for (var number = 1; number <= MostClusters; number++)
        {
            if (TryClaim(System.IO.Path.Combine(UserFolder.Root, string.Create(CultureInfo.InvariantCulture, $"{kind}-{number}"))) is { } folder)
            {
                return folder;
            }
        }

        throw new UserErrorException($"All data folders in {UserFolder.Root} are in use; name another with --data.");
    }

    /// <inheritdoc/>
    public void Dispose() => _claim.Dispose();

    private static DataFolder? TryClaim(string path)
    {
        Directory.CreateDirectory(path);
        try
        {
            return new DataFolder(path, new FileStream(System.IO.Path.Combine(path, NodeFiles.Lock), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (IOException)
        {
            return null;
        }
    }
}
