using System.Globalization;
using System.Runtime.InteropServices;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression;

/// <summary>
/// What a compression has done so far, beside its target under a hidden name that its input and settings determine: a
/// run that was ended goes on from there. A lock tells others that somebody works in it. Every file appears whole or not
/// at all, and an entry about a unit only after its file and the streams behind it, so that whatever is found can be used.
/// </summary>
internal sealed class ResumeFolder : IDisposable
{
    private const string LockSuffix = ".lock";
    private const string SurveyFile = "survey.bin";

    private readonly string _path;
    private readonly string _prefix;
    private readonly FileStream _lock;
    private bool _completed;

    private ResumeFolder(string path, string prefix, FileStream @lock) => (_path, _prefix, _lock) = (path, prefix, @lock);

    /// <summary>Opens the folder of a compression, new or as a run before has left it.</summary>
    /// <param name="target">The target, a full path without a separator at its end.</param>
    /// <param name="key">A hash of input and settings.</param>
    /// <exception cref="IOException">Another process is at this compression.</exception>
    public static ResumeFolder Open(string target, string key)
    {
        var parent = Path.GetDirectoryName(target) ?? throw new IOException($"\"{target}\" is the root of a file system: name a folder inside it.");
        var prefix = $".{Path.GetFileName(target)}.resume-";
        var path = Path.Combine(parent, prefix + key);
        Directory.CreateDirectory(parent);
        var own = TryLock(path) ?? throw new IOException($"Another process is compressing to \"{target}\": wait for it, or name another folder.");
        Directory.CreateDirectory(path);
        return new ResumeFolder(path, prefix, own);
    }

    /// <summary>What the survey measured; null where it was not done yet.</summary>
    public double[]? ReadSurvey()
    {
        var file = Path.Combine(_path, SurveyFile);
        return File.Exists(file) ? MemoryMarshal.Cast<byte, double>(File.ReadAllBytes(file)).ToArray() : null;
    }

    /// <summary>Keeps what the survey measured.</summary>
    public void WriteSurvey(double[] numbers) => Put(Path.Combine(_path, SurveyFile), stream => stream.Write(MemoryMarshal.AsBytes(numbers.AsSpan())));

    /// <summary>The folder of one plan's units.</summary>
    /// <param name="key">A hash of the plan.</param>
    public string PlanFolder(string key) => Directory.CreateDirectory(Path.Combine(_path, key)).FullName;

    /// <summary>The units of a plan that are done, in order from the first.</summary>
    public static IReadOnlyList<WeightFile> Done(string planFolder, ModelShape shape)
    {
        var done = new List<WeightFile>();
        for (var unit = 0; unit < shape.Units; unit++)
        {
            var entry = Path.Combine(planFolder, EntryName(unit));
            var file = Path.Combine(planFolder, ManifestLayout.FileName(unit, shape.Layers));
            if (!File.Exists(entry) || File.ReadAllText(entry).Split(' ') is not [var length, var hash]
                || !long.TryParse(length, CultureInfo.InvariantCulture, out var bytes) || !File.Exists(file) || new FileInfo(file).Length != bytes)
            {
                break;
            }

            done.Add(new WeightFile(unit, ManifestLayout.FileName(unit, shape.Layers), bytes, hash));
        }

        return done;
    }

    /// <summary>Keeps that a unit is done: its file is written, and the streams go on from it.</summary>
    /// <param name="planFolder">The plan's folder.</param>
    /// <param name="file">The unit's file.</param>
    /// <param name="streams">The streams behind the unit, one after the other.</param>
    public static void Finish(string planFolder, WeightFile file, params ReadOnlySpan<float[]> streams)
    {
        var parts = streams.ToArray();
        Put(Path.Combine(planFolder, StreamsName(file.Unit)), stream =>
        {
            foreach (var part in parts)
            {
                stream.Write(MemoryMarshal.AsBytes(part.AsSpan()));
            }
        });
        Put(Path.Combine(planFolder, EntryName(file.Unit)), stream => stream.Write(System.Text.Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{file.Bytes} {file.Sha256}"))));
        File.Delete(Path.Combine(planFolder, StreamsName(file.Unit - 1)));
    }

    /// <summary>The streams behind a unit, cut at the lengths given; null where they are not there.</summary>
    public static float[][]? Streams(string planFolder, int unit, params ReadOnlySpan<int> lengths)
    {
        var file = Path.Combine(planFolder, StreamsName(unit));
        var total = 0L;
        foreach (var length in lengths)
        {
            total += length;
        }

        if (!File.Exists(file) || new FileInfo(file).Length != total * sizeof(float))
        {
            return null;
        }

        using var stream = File.OpenRead(file);
        var parts = new float[lengths.Length][];
        for (var i = 0; i < parts.Length; i++)
        {
            parts[i] = new float[lengths[i]];
            stream.ReadExactly(MemoryMarshal.AsBytes(parts[i].AsSpan()));
        }

        return parts;
    }

    /// <summary>Says that the target is made: this folder, and what others of the same target have left, goes when it is closed.</summary>
    public void Complete() => _completed = true;

    /// <summary>Closes it: what was done stays for the next run, unless the target is made or nothing was done.</summary>
    public void Dispose()
    {
        try
        {
            if (_completed)
            {
                RemoveAll();
            }
            else if (Directory.Exists(_path) && !Directory.EnumerateFiles(_path, "*", SearchOption.AllDirectories).Any())
            {
                Directory.Delete(_path, recursive: true);
            }
        }
        finally
        {
            _lock.Dispose();
        }
    }

    private static string EntryName(int unit) => string.Create(CultureInfo.InvariantCulture, $"unit-{unit:D4}.done");

    private static string StreamsName(int unit) => string.Create(CultureInfo.InvariantCulture, $"streams-{unit:D4}.bin");

    private static void Put(string path, Action<Stream> write)
    {
        var draft = path + ".draft";
        using (var stream = new FileStream(draft, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 16))
        {
            write(stream);
        }

        File.Move(draft, path, overwrite: true);
    }

    private static FileStream? TryLock(string path)
    {
        try
        {
            return new FileStream(path + LockSuffix, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);
        }
        catch (IOException)
        {
            return null;
        }
    }

    private void RemoveAll()
    {
        Directory.Delete(_path, recursive: true);
        foreach (var other in Directory.EnumerateDirectories(Path.GetDirectoryName(_path)!).Where(path => Path.GetFileName(path).StartsWith(_prefix, StringComparison.Ordinal)).ToList())
        {
            using var taken = TryLock(other);
            if (taken is not null)
            {
                Directory.Delete(other, recursive: true);
            }
        }
    }
}
