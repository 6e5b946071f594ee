using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>The tensors of a checkpoint folder: <c>model.safetensors</c>, or several files joined by <c>model.safetensors.index.json</c>.</summary>
internal sealed unsafe class CheckpointFiles : ICheckpointTensors
{
    private const string SingleFile = "model.safetensors";
    private const string IndexFile = "model.safetensors.index.json";
    private const long MaximumIndexBytes = 64 << 20;
    private const int MaximumFiles = 4096;
    private const int HashPiece = 1 << 24;

    private readonly Dictionary<string, SafetensorsFile> _files = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SafetensorsFile> _tensors = new(StringComparer.Ordinal);

    private CheckpointFiles()
    {
    }

    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A file is malformed or does not hold what the index says.</exception>
    /// <exception cref="NotSupportedException">The folder has weights in another format.</exception>
    public static CheckpointFiles Open(string folder)
    {
        var files = new CheckpointFiles();
        try
        {
            if (File.Exists(Path.Combine(folder, SingleFile)))
            {
                files.Add(folder, SingleFile);
            }
            else if (File.Exists(Path.Combine(folder, IndexFile)))
            {
                files.AddIndexed(folder);
            }
            else
            {
                throw Missing(folder);
            }

            return files;
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    public string Configuration => ConfigReader.FileName;

    public string Readable => "F32, F16 and BF16";

    public string NameOf(string tensor) => tensor;

    public bool Contains(string tensor) => _tensors.ContainsKey(tensor);

    public CheckpointTensor? Find(string tensor)
    {
        if (!_tensors.TryGetValue(tensor, out var file))
        {
            return null;
        }

        var declared = file.Tensors[tensor];
        var holdsWeights = declared.Type is SafetensorsType.F32 or SafetensorsType.F16 or SafetensorsType.BF16;
        return new(SafetensorsTensor.NameOf(declared.Type), holdsWeights, declared.Shape, declared.Elements);
    }

    public void ReadFloat32(string tensor, Span<float> destination) => _tensors[tensor].ReadFloat32(tensor, destination);

    public void Hash(string tensor, IncrementalHash hash)
    {
        var file = _tensors[tensor];
        var declared = file.Tensors[tensor];
        hash.AppendData(Encoding.UTF8.GetBytes($"\n{tensor}\n{SafetensorsTensor.NameOf(declared.Type)}\n{string.Join(',', declared.Shape)}\n"));
        var data = file.Pointer(declared);
        for (var at = 0L; at < declared.Bytes; at += HashPiece)
        {
            hash.AppendData(new ReadOnlySpan<byte>(data + at, (int)Math.Min(HashPiece, declared.Bytes - at)));
        }
    }

    public void Dispose()
    {
        foreach (var file in _files.Values)
        {
            file.Dispose();
        }
    }

    private static Exception Missing(string folder)
    {
        var other = Directory.Exists(folder)
            ? Directory.EnumerateFiles(folder).Select(Path.GetFileName).FirstOrDefault(name => name!.EndsWith(".bin", StringComparison.Ordinal) || name.EndsWith(".pth", StringComparison.Ordinal) || name.EndsWith(".gguf", StringComparison.Ordinal))
            : null;
        if (other?.EndsWith(".gguf", StringComparison.Ordinal) == true)
        {
            return new NotSupportedException($"\"{folder}\" has its weights in \"{other}\": name that file instead of its folder, or convert it.");
        }

        return other is null
            ? new FileNotFoundException($"\"{folder}\" has neither {SingleFile} nor {IndexFile}: fetch the checkpoint's weights.", Path.Combine(folder, SingleFile))
            : new NotSupportedException($"\"{folder}\" has its weights in \"{other}\", which is not read: use a checkpoint in the safetensors format, or convert it.");
    }

    private SafetensorsFile Add(string folder, string name)
    {
        var file = SafetensorsFile.Open(Path.Combine(folder, name));
        _files.Add(name, file);
        foreach (var tensor in file.Tensors.Keys.Where(name => !SafetensorsWriter.IsPadding(name)))
        {
            if (!_tensors.TryAdd(tensor, file))
            {
                throw new InvalidDataException($"The tensor \"{tensor}\" is in \"{_tensors[tensor].Path}\" and in \"{file.Path}\". Fetch the checkpoint again.");
            }
        }

        return file;
    }

    private void AddIndexed(string folder)
    {
        var path = Path.Combine(folder, IndexFile);
        using var index = CheckpointJson.ReadObject(path, MaximumIndexBytes);
        if (CheckpointJson.Get(index.RootElement, "weight_map") is not { ValueKind: JsonValueKind.Object } map)
        {
            throw new InvalidDataException($"\"{path}\" has no weight_map.");
        }

        foreach (var entry in map.EnumerateObject())
        {
            var name = CheckpointJson.Text(entry.Value, "a file name in weight_map", path);
            if (!_files.TryGetValue(name, out var file))
            {
                CheckName(name, path);
                file = Add(folder, name);
            }

            var tensor = CheckpointJson.Name(entry, "weight_map", path);
            if (!file.Tensors.ContainsKey(tensor))
            {
                throw new InvalidDataException($"\"{path}\" places the tensor \"{tensor}\" in \"{name}\", which does not have it. Fetch the checkpoint again.");
            }
        }
    }

    private void CheckName(string name, string path)
    {
        var plain = name.Length is > 12 and <= 200 && name.EndsWith(".safetensors", StringComparison.Ordinal) && name[0] != '.'
            && name.All(character => char.IsAsciiLetterOrDigit(character) || character is '-' or '_' or '.');
        if (!plain)
        {
            throw new InvalidDataException($"\"{path}\" names a file that is not a plain *.safetensors name in its own folder.");
        }

        if (_files.Count == MaximumFiles)
        {
            throw new InvalidDataException($"\"{path}\" names more than {MaximumFiles} files.");
        }
    }
}
