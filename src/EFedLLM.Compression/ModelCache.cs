using System.Security.Cryptography;
using System.Text;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression;

/// <summary>
/// Factored models made on the way, so that a checkpoint can be named wherever a model is wanted. An entry is named
/// after everything that its content depends on and appears in one step: any number of processes may ask for the same
/// one at once; each that finds none makes it, the fastest one's stays, and all use that.
/// </summary>
public static class ModelCache
{
    /// <summary>Changes when the same input and settings give other bytes than before.</summary>
    private const int MethodVersion = 3;

    /// <summary>The folder of the factored model of a checkpoint, made now if it is not there or not whole.</summary>
    /// <param name="checkpointFolder">The checkpoint's folder or GGUF file; all of its weights are read, to know them by their hash.</param>
    /// <param name="cacheRoot">Where entries lie; created if missing.</param>
    /// <param name="settings">What to make.</param>
    /// <param name="progress">As for <see cref="Compressor.Run"/>; not called when the model is there.</param>
    /// <param name="cancellation">Ends the work, leaving nothing behind.</param>
    /// <exception cref="ArgumentException">A setting is out of its bounds, or the profile is one that takes a calibration.</exception>
    /// <exception cref="FileNotFoundException">The checkpoint lacks a file; the message names it.</exception>
    /// <exception cref="InvalidDataException">The checkpoint is malformed; the message says what and what to do.</exception>
    /// <exception cref="NotSupportedException">The checkpoint's architecture is not supported.</exception>
    /// <exception cref="IOException">The cache cannot be written.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static string GetOrCompress(
        string checkpointFolder,
        string cacheRoot,
        CompressionSettings settings,
        IProgress<CompressionProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(checkpointFolder);
        ArgumentException.ThrowIfNullOrEmpty(cacheRoot);
        ArgumentNullException.ThrowIfNull(settings);
        settings.Check();
        if (settings.Profile == CompressionProfile.Calibrated)
        {
            throw new ArgumentException("The cache keeps what is made in seconds: int8 and svd.", nameof(settings));
        }

        using var checkpoint = Checkpoint.Open(checkpointFolder);
        var name = settings.Name ?? Compressor.NameOf(checkpointFolder);
        var folder = Path.Combine(TargetFolder.Normalize(cacheRoot), $"{FileNameOf(name)}-{settings.ProfileName}-{Key(checkpoint, name, settings)}");
        if (TargetFolder.IsComplete(folder))
        {
            return folder;
        }

        if (Directory.Exists(folder))
        {
            PartialFolder.Discard(folder);
        }

        try
        {
            return Compressor.Run(checkpoint, folder, settings, progress, cancellation).Folder;
        }
        catch (IOException) when (TargetFolder.IsComplete(folder))
        {
            // Another process was faster, with a linear algebra whose last bits differ.
            return folder;
        }
    }

    /// <summary>Sixteen digits of a hash over everything that the result depends on.</summary>
    private static string Key(Checkpoint checkpoint, string name, CompressionSettings settings)
    {
        const int Digits = 16;
        var text = new StringBuilder()
            .Append(ModelManifest.FormatName).Append(' ').Append(ModelManifest.CurrentVersion).Append(' ').Append(MethodVersion).Append('\n')
            .Append(checkpoint.Id).Append('\n')
            .Append(name).Append('\n')
            .Append(settings.ProfileName).Append(' ').Append(settings.Group).Append('\n');
        if (settings.Profile == CompressionProfile.Svd)
        {
            text.Append(settings.Keep.ToString("R")).Append('\n');
        }

        foreach (var (file, bytes) in Companions.Of(checkpoint.Folder))
        {
            text.Append(file).Append(' ').Append(Convert.ToHexStringLower(SHA256.HashData(bytes))).Append('\n');
        }

        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())))[..Digits];
    }

    private static string FileNameOf(string name)
    {
        const int Longest = 60;
        var plain = string.Concat(name.Select(character => char.IsAsciiLetterOrDigit(character) || character is '-' or '_' or '.' ? character : '_')).TrimStart('.');
        return plain.Length == 0 ? "model" : plain[..Math.Min(plain.Length, Longest)];
    }
}
