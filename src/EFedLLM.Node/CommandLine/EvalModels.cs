using EFedLLM.Compression.Evaluation;
using EFedLLM.Node.Local;
using EFedLLM.Node.Models;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.CommandLine;

/// <summary>The models of a comparison, opened: a checkpoint computes in float32, a factored model as it is served.</summary>
internal sealed class EvalModels : IDisposable
{
    private static readonly string[] TokenizerFiles = ["tokenizer.json", "tokenizer.model"];

    private readonly List<IModelSource> _sources = [];

    private EvalModels()
    {
    }

    /// <summary>The models in the order given, each once.</summary>
    public IReadOnlyList<IModelSource> Sources => _sources;

    /// <summary>What the report calls them.</summary>
    public IReadOnlyList<string> Names { get; private set; } = [];

    /// <summary>The place among them of the one that the others are compared with.</summary>
    public int Reference { get; private set; }

    /// <summary>Whether the reference was named as such and not as one of the models.</summary>
    public bool ReferenceIsExtra { get; private set; }

    /// <summary>Opens models.</summary>
    /// <param name="named">Folders, at least one.</param>
    /// <param name="reference">The folder that the others are compared with; null is the first checkpoint among them, else the first of them.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="UserErrorException">One is missing, or named twice.</exception>
    public static async Task<EvalModels> OpenAsync(IReadOnlyList<string> named, string? reference, CancellationToken cancellation)
    {
        var folders = named.Select(ModelFolders.Existing).ToList();
        if (folders.GroupBy(Trimmed, StringComparer.Ordinal).FirstOrDefault(group => group.Count() > 1) is { } twice)
        {
            throw new UserErrorException($"{twice.Key} is named twice.", ExitCodes.Usage);
        }

        var models = new EvalModels();
        if (reference is not null)
        {
            var folder = ModelFolders.Existing(reference);
            models.Reference = folders.FindIndex(other => Trimmed(other) == Trimmed(folder));
            if (models.Reference < 0)
            {
                folders.Add(folder);
                (models.Reference, models.ReferenceIsExtra) = (folders.Count - 1, true);
            }
        }
        else
        {
            models.Reference = Math.Max(folders.FindIndex(folder => !FactoredModel.IsFactored(folder)), 0);
        }

        try
        {
            foreach (var folder in folders)
            {
                models._sources.Add(await LocalModel.OpenAsync(
                    new LocalSettings { ModelFolder = folder, Float32 = !FactoredModel.IsFactored(folder) }, cancellation));
            }

            models.Names = NamesOf(folders);
            return models;
        }
        catch
        {
            models.Dispose();
            throw;
        }
    }

    /// <summary>The shortest ends of the paths that tell the folders apart.</summary>
    internal static IReadOnlyList<string> NamesOf(IReadOnlyList<string> folders)
    {
        var parts = folders.Select(folder => Trimmed(folder).Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries)).ToList();
        for (var length = 1; ; length++)
        {
            var names = parts.Select(part => string.Join('/', part.TakeLast(length))).ToList();
            if (names.Distinct(StringComparer.Ordinal).Count() == names.Count || length > parts.Max(part => part.Length))
            {
                return names;
            }
        }
    }

    /// <summary>Encodes the part of a text that is scored, and makes sure that all models encode it alike.</summary>
    /// <exception cref="UserErrorException">They do not.</exception>
    /// <exception cref="ArgumentException">The text has no token where scoring should begin.</exception>
    public ScoredText Encode(string text, int skip, int most)
    {
        var scored = ScoredText.Encode(_sources[Reference].Folder, text, skip, most);
        for (var i = 0; i < _sources.Count; i++)
        {
            if (i != Reference && !HasSameTokenizer(_sources[i].Folder, _sources[Reference].Folder)
                && !ScoredText.Encode(_sources[i].Folder, text, skip, most).Tokens.Span.SequenceEqual(scored.Tokens.Span))
            {
                throw new UserErrorException($"{Names[i]} and {Names[Reference]} encode the text as different tokens: compare models that were made of one checkpoint.", ExitCodes.Usage);
            }
        }

        return scored;
    }

    /// <inheritdoc/>
    public void Dispose() => _sources.ForEach(source => source.Dispose());

    private static string Trimmed(string folder) => Path.TrimEndingDirectorySeparator(folder);

    /// <summary>Whether two folders' tokenizers are the same files, which spares encoding the text again.</summary>
    private static bool HasSameTokenizer(string folder, string other) => TokenizerFiles.All(name =>
    {
        var (a, b) = (new FileInfo(Path.Combine(folder, name)), new FileInfo(Path.Combine(other, name)));
        return a.Exists == b.Exists && (!a.Exists || (a.Length == b.Length && File.ReadAllBytes(a.FullName).AsSpan().SequenceEqual(File.ReadAllBytes(b.FullName))));
    });
}
