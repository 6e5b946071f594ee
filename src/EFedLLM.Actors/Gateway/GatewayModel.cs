using System.Collections.Immutable;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Caching;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Actors.Gateway;

/// <summary>What a gateway knows of a model: how to turn prompts into tokens and tokens into text. It holds no weights.</summary>
public sealed class GatewayModel
{
    /// <summary>A cache grows by pages: a position's share is told from whole ones.</summary>
    private const int ManyPositions = 1024;

    private GatewayModel(ServedModel served, ModelShape shape, ModelTokenizer tokenizer, ChatTemplate template, IModelSource source)
        => (Served, Shape, Tokenizer, Template, Folder, HasFiles) = (served, shape, tokenizer, template, source.Folder, source is FactoredModel);

    /// <summary>The facts the cluster is told.</summary>
    public ServedModel Served { get; }

    /// <summary>The model's hyper-parameters.</summary>
    public ModelShape Shape { get; }

    /// <summary>Its tokenizer.</summary>
    public ModelTokenizer Tokenizer { get; }

    /// <summary>How chats are written for it.</summary>
    public ChatTemplate Template { get; }

    /// <summary>The model's folder.</summary>
    public string Folder { get; }

    /// <summary>Whether it has a file for each unit, which devices can be given.</summary>
    public bool HasFiles { get; }

    /// <summary>Opens a model folder: a factored model, or a checkpoint, which the devices then compute in float32.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="chatTemplateName">A name of <see cref="ChatTemplate.Names"/> to use instead of the folder's own template, or null.</param>
    /// <exception cref="FileNotFoundException">A file is missing; the message names it.</exception>
    /// <exception cref="InvalidDataException">A file is malformed; the message says which.</exception>
    /// <exception cref="NotSupportedException">The model or its chat template is not supported; the message names the way out.</exception>
    /// <exception cref="ArgumentException">There is no chat template of that name.</exception>
    public static GatewayModel Open(string folder, string? chatTemplateName = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        using var source = ModelFolder.Open(folder);
        return Open(source, chatTemplateName);
    }

    /// <summary>What a gateway knows of an opened model.</summary>
    /// <param name="source">The model.</param>
    /// <param name="chatTemplateName">A template's name, or null for the folder's own.</param>
    internal static GatewayModel Open(IModelSource source, string? chatTemplateName)
    {
        var template = chatTemplateName is null ? ChatTemplate.Recognise(source.Folder) : ChatTemplate.Named(chatTemplateName);
        return new GatewayModel(Describe(source), source.Shape, ModelTokenizer.Load(source.Folder), template, source);
    }

    private static ServedModel Describe(IModelSource source)
    {
        var shape = source.Shape;
        var manifest = (source as FactoredModel)?.Manifest;
        return new ServedModel(
            source.Id,
            manifest?.Name ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(source.Folder))),
            shape.HiddenSize,
            OfUnits(source.UnitBytes),
            OfUnits(unit => manifest?.UnitReadBytes(unit) ?? (unit == 0 ? sizeof(float) * (long)shape.HiddenSize : source.UnitBytes(unit))),
            OfUnits(unit => shape.Encoder is null
                ? KvCache.BytesFor(shape, new LayerRange(unit, unit + 1), ManyPositions) / ManyPositions
                : sizeof(float) * (long)shape.HiddenSize), // the activations that wait until a sequence is whole
            Math.Min(shape.ContextLength, ProtocolLimits.SessionTokens),
            manifest?.BitsPerWeight ?? 8 * sizeof(float),
            CanStream: manifest is not null && shape.Encoder is null);

        ImmutableArray<long> OfUnits(Func<int, long> bytes) => [.. Enumerable.Range(0, shape.Units).Select(bytes)];
    }
}
