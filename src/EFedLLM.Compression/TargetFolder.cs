using System.Security.Cryptography;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression;

/// <summary>The folder that a model is to be written to: judges what it holds already, and puts a finished model there.</summary>
internal static class TargetFolder
{
    /// <summary>The full path, as folders beside it are named after it.</summary>
    public static string Normalize(string folder) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));

    /// <summary>Refuses at once what will not be replaced: a folder with anything but possibly this very model.</summary>
    /// <param name="target">The folder.</param>
    /// <param name="expected">The manifest as far as it is known before the work; its files, companions and bits are not compared.</param>
    /// <param name="formsKnown">Whether the forms of its matrices are known; else they are not compared either, nor is the quality.</param>
    /// <exception cref="IOException">Something else is there; the message says what to do.</exception>
    public static void Check(string target, ModelManifest expected, bool formsKnown = true)
    {
        if (File.Exists(target))
        {
            throw new IOException($"\"{target}\" is a file: name a new or an empty folder.");
        }

        if (!Directory.Exists(target) || !Directory.EnumerateFileSystemEntries(target).Any())
        {
            return;
        }

        if (ReadManifest(target) is not { } there || !IsLike(there, formsKnown ? expected : expected with { Matrices = there.Matrices, Quality = there.Quality }))
        {
            throw Occupied(target);
        }
    }

    /// <summary>Makes a finished folder the target, or finds that the target holds the same model already.</summary>
    /// <exception cref="IOException">The target holds something else, or the same model with a damaged file.</exception>
    public static CompressionResult Commit(string target, PartialFolder partial, ModelManifest manifest)
    {
        var json = manifest.ToJson();
        var path = Path.Combine(partial.Path, ModelManifest.FileName);
        using (var file = new HashingStream(path))
        {
            file.Write(json);
            file.Complete();
        }

        var id = ModelManifest.IdOf(json);
        if (partial.TryCommit())
        {
            return new CompressionResult(target, id, manifest, false);
        }

        var there = Path.Combine(target, ModelManifest.FileName);
        if (!File.Exists(there) || !json.AsSpan().SequenceEqual(File.ReadAllBytes(there)))
        {
            throw Occupied(target);
        }

        var files = manifest.Files.Select(file => (file.Name, file.Bytes, file.Sha256))
            .Concat(manifest.Companions.Select(file => (file.Name, file.Bytes, file.Sha256)));
        foreach (var (name, bytes, hash) in files)
        {
            var full = Path.Combine(target, name);
            if (!HasLength(full, bytes) || HashOf(full) != hash)
            {
                throw new IOException($"\"{target}\" holds this model, but its file \"{name}\" is damaged or missing: delete the folder and compress again.");
            }
        }

        return new CompressionResult(target, id, manifest, true);
    }

    /// <summary>Whether a folder holds a factored model whose files are there in their full lengths.</summary>
    public static bool IsComplete(string folder) => ReadManifest(folder) is { } manifest
        && manifest.Files.All(file => HasLength(Path.Combine(folder, file.Name), file.Bytes))
        && manifest.Companions.All(file => HasLength(Path.Combine(folder, file.Name), file.Bytes));

    private static bool IsLike(ModelManifest there, ModelManifest expected)
    {
        try
        {
            var same = expected with { Files = there.Files, Companions = there.Companions, BitsPerWeight = there.BitsPerWeight };
            return same.ToJson().AsSpan().SequenceEqual(there.ToJson());
        }
        catch (InvalidDataException)
        {
            // The other one's files do not fit this shape.
            return false;
        }
    }

    private static ModelManifest? ReadManifest(string folder)
    {
        try
        {
            return ModelManifest.Parse(File.ReadAllBytes(Path.Combine(folder, ModelManifest.FileName)));
        }
        catch (Exception error) when (error is InvalidDataException or FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    private static bool HasLength(string path, long bytes) => new FileInfo(path) is { Exists: true } file && file.Length == bytes;

    private static string HashOf(string path)
    {
        using var file = File.OpenRead(path);
        return Convert.ToHexStringLower(SHA256.HashData(file));
    }

    private static IOException Occupied(string target) =>
        new($"\"{target}\" is not empty and does not hold this model: name a new or an empty folder, or delete it first.");
}
