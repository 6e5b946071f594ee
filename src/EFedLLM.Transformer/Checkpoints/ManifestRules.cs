using System.Buffers;
using System.Collections.Immutable;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>What a manifest from an untrusted hand must satisfy before any of its numbers is used.</summary>
internal static class ManifestRules
{
    private const int MaximumVocabulary = 1 << 22;
    private const int MaximumWidth = 1 << 18;
    private const int MaximumLayers = 1024;
    private const int MaximumHeads = 4096;
    private const int MaximumContext = 1 << 24;
    private const int MaximumCompanions = 16;
    private const long MaximumCompanionBytes = 64L << 20;

    /// <summary>A safetensors header and the gaps of alignment fit into this.</summary>
    private const long MaximumFileOverhead = 1L << 20;

    private static readonly SearchValues<char> NameCharacters =
        SearchValues.Create("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-");

    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdef");

    private static readonly ImmutableArray<string> ReservedNames = ["CON", "PRN", "AUX", "NUL", "COM", "LPT"];

    /// <exception cref="InvalidDataException">A value is out of its bounds; the message names it.</exception>
    public static void Check(ModelManifest manifest)
    {
        Require(manifest.Name is { Length: >= 1 and <= 128 } && !manifest.Name.Any(char.IsControl), "name", "is empty, longer than 128 characters or has control characters");
        Require(IsWord(manifest.Profile, 32), "profile", "is not a plain word");
        CheckShape(manifest.Shape);
        Require(manifest.Arithmetic.ActivationBits == 16, "arithmetic.activationBits", $"is {manifest.Arithmetic.ActivationBits}, supported is 16");
        Require(manifest.Arithmetic.KeyValueCache == "float16", "arithmetic.keyValueCache", "is not \"float16\", the one supported");
        CheckMatrices(manifest);
        CheckFiles(manifest);
        CheckCompanions(manifest);
        CheckNotes(manifest);
    }

    public static void CheckShape(ModelShape shape)
    {
        Require(IsWord(shape.Architecture, 64), "shape.architecture", "is not a class name");
        Range(shape.VocabularySize, 1, MaximumVocabulary, "shape.vocabularySize");
        Range(shape.HiddenSize, 1, MaximumWidth, "shape.hiddenSize");
        Range(shape.IntermediateSize, 1, MaximumWidth, "shape.intermediateSize");
        Range(shape.Layers, 1, MaximumLayers, "shape.layers");
        Range(shape.Heads, 1, MaximumHeads, "shape.heads");
        Range(shape.KeyValueHeads, 1, shape.Heads, "shape.keyValueHeads");
        Require(shape.Heads % shape.KeyValueHeads == 0, "shape.keyValueHeads", "does not divide the number of heads");
        Range(shape.HeadSize, 2, MaximumWidth / shape.Heads, "shape.headSize");
        Require(shape.HeadSize % 2 == 0, "shape.headSize", "is odd, but rotary embedding works on pairs");
        Range(shape.ContextLength, 1, MaximumContext, "shape.contextLength");
        Require(shape.NormEpsilon is >= 0 and < 1, "shape.normEpsilon", "is not in [0, 1)");
        CheckRope(shape.Rope);
        Require(shape.SlidingWindow is null or > 0, "shape.slidingWindow", "is not positive");
        Require(shape.BeginToken is null || IsToken(shape.BeginToken.Value), "shape.beginToken", "is not in the vocabulary");
        Require(!shape.EndTokens.IsDefault && shape.EndTokens.Length <= 64 && shape.EndTokens.All(IsToken), "shape.endTokens", "has more than 64 ids or ids outside the vocabulary");

        if (shape.Encoder is { } encoder)
        {
            CheckEncoder(shape, encoder);
        }

        bool IsToken(int id) => id >= 0 && id < shape.VocabularySize;
    }

    public static bool IsPlainName(string name) =>
        name.Length is >= 1 and <= 100
        && !name.AsSpan().ContainsAnyExcept(NameCharacters)
        && name[0] != '.' && name[^1] != '.'
        && !ReservedNames.Contains(name.Split('.')[0].TrimEnd("0123456789".ToCharArray()).ToUpperInvariant());

    private static void CheckEncoder(ModelShape shape, EncoderSettings encoder)
    {
        Range(encoder.TokenTypes, 1, BertConfig.MaximumTokenTypes, "shape.encoder.tokenTypes");
        Range(encoder.Classes, 0, BertConfig.MaximumClasses, "shape.encoder.classes");
        Range(shape.ContextLength, 1, BertConfig.MaximumContext, "shape.contextLength");
        Require((long)shape.Heads * shape.HeadSize == shape.HiddenSize && shape.KeyValueHeads == shape.Heads, "shape.encoder", "does not fit heads whose widths add up to something else than the hidden size");
        Require(
            shape is { SlidingWindow: null, QueryKeyNorm: false, QueryKeyValueBias: false, OutputBias: false, FeedForwardBias: false, TiedEmbeddings: false },
            "shape.encoder",
            "stands beside settings of a decoder");
        Require(shape.Rope == new RopeSettings(10000), "shape.rope", "is set, but an encoder learns its positions");
    }

    private static void CheckRope(RopeSettings rope)
    {
        Require(rope.Theta is >= 1 and <= 1e15, "shape.rope.theta", "is not in [1, 1e15]");
        if (rope.Scaling is not { } scaling)
        {
            return;
        }

        Require(Enum.IsDefined(scaling.Kind), "shape.rope.scaling.kind", "is unknown");
        Require(scaling.Factor is > 0 and <= 1e6, "shape.rope.scaling.factor", "is not in (0, 1e6]");
        Require(scaling.LowFrequencyFactor is > 0 and <= 1e6, "shape.rope.scaling.lowFrequencyFactor", "is not in (0, 1e6]");
        Require(scaling.HighFrequencyFactor is > 0 and <= 1e6, "shape.rope.scaling.highFrequencyFactor", "is not in (0, 1e6]");
        Require(
            scaling.Kind != RopeScalingKind.Llama3 || scaling.HighFrequencyFactor > scaling.LowFrequencyFactor,
            "shape.rope.scaling.highFrequencyFactor",
            "is not above the low one");
        Range(scaling.OriginalContextLength, 1, MaximumContext, "shape.rope.scaling.originalContextLength");
    }

    private static void CheckMatrices(ModelManifest manifest)
    {
        Require(!manifest.Matrices.IsDefault, "matrices", "are missing");
        var index = 0;
        for (var unit = 0; unit < manifest.Shape.Units; unit++)
        {
            var sites = ManifestLayout.Sites(manifest.Shape, unit);
            for (var place = 0; place < sites.Length; place++, index++)
            {
                var field = $"matrices[{index}]";
                Require(index < manifest.Matrices.Length && manifest.Matrices[index] is not null, field, $"is missing: {sites[place].Name} of unit {unit} belongs here");
                CheckMatrix(manifest.Matrices[index], unit, sites[place], field);
                CheckSharing(manifest.Matrices, index, sites, place, field + ".sharedFactors");
                CheckBytes(manifest.Matrices[index], sites[place], field + ".bytes");
            }
        }

        Require(index == manifest.Matrices.Length, "matrices", $"has {manifest.Matrices.Length} entries where the shape has {index} matrices");
    }

    private static void CheckMatrix(MatrixForm form, int unit, ManifestSite site, string field)
    {
        Require(form.Unit == unit && form.Name == site.Name, field, $"is not {site.Name} of unit {unit}, which belongs here");
        Require(form.Outputs == site.Outputs && form.Inputs == site.Inputs, field, $"is not {site.Outputs} x {site.Inputs}, as the shape says");
        CheckGroup(form.Base, field + ".base");
        CheckGroup(form.Factors, field + ".factors");
        Range(form.Rank, 0, Math.Min(form.Outputs, form.Inputs), field + ".rank");
        Require(form.Rank > 0 == form.Factors is not null, field + ".factors", "must be there exactly when the rank is above 0");
        Require(form.Base is not null || form.Rank > 0, field, "has neither a base nor factors");
        if (unit == 0)
        {
            Require(form.Base is { Bits: 8, Group: ManifestLayout.EmbeddingGroup } && form.Rank == 0, field, $"is not a table of 8 bits with groups of {ManifestLayout.EmbeddingGroup}, the one form of an embedding");
        }
    }

    private static void CheckSharing(ImmutableArray<MatrixForm> matrices, int index, ImmutableArray<ManifestSite> sites, int place, string field)
    {
        var form = matrices[index];
        if (form.SharedFactors is not { } name)
        {
            return;
        }

        Require(form.Rank > 0, field, "is there, but the rank is 0");
        var owner = place - 1;
        while (owner >= 0 && sites[owner].Name != name)
        {
            owner--;
        }

        Require(owner >= 0, field, "does not name an earlier matrix of the same unit");
        Require(sites[owner].Input == sites[place].Input, field, $"is {name}, which has another input");
        var owned = matrices[index - place + owner];
        Require(owned is { Rank: > 0, SharedFactors: null }, field, $"is {name}, which has no V of its own");
        Require(owned.Rank == form.Rank && owned.Factors == form.Factors, field, $"is {name}, whose factors have another rank or form");
    }

    private static void CheckBytes(MatrixForm form, ManifestSite site, string field)
    {
        var bytes = ManifestLayout.Form(form.Unit, site, form.Base, form.Rank, form.Factors, form.SharedFactors).Bytes;
        Require(form.Bytes == bytes, field, $"is {form.Bytes}, but this form takes {bytes}");
    }

    private static void CheckGroup(GroupForm? form, string field) => Require(
        form is null or { Bits: 4 or 5 or 6 or 8, Group: 32 or 64 }, field, "is not 4, 5, 6 or 8 bits in groups of 32 or 64, what this program computes with");

    private static void CheckFiles(ModelManifest manifest)
    {
        var units = manifest.Shape.Units;
        Require(!manifest.Files.IsDefault && manifest.Files.Length == units, "files", $"does not have one file for each of the {units} units");
        for (var unit = 0; unit < units; unit++)
        {
            var field = $"files[{unit}]";
            var name = ManifestLayout.FileName(unit, manifest.Shape.Layers);
            Require(manifest.Files[unit] is { } present && present.Unit == unit && present.Name == name, field, $"is not {name} of unit {unit}");
            var file = manifest.Files[unit];
            var data = manifest.Tensors(unit).Sum(tensor => tensor.Bytes);
            Require(file.Bytes > data && file.Bytes <= data + MaximumFileOverhead, field + ".bytes", $"is {file.Bytes}, which does not fit tensors of {data} bytes");
            Require(IsHash(file.Sha256), field + ".sha256", "is not 64 lower-case hexadecimal digits");
        }

        var bits = manifest.ReadBitsPerWeight;
        Require(Math.Abs(manifest.BitsPerWeight - bits) <= 1e-9 * bits, "bitsPerWeight", $"is {manifest.BitsPerWeight}, but its matrices, norms and biases take {bits}");
    }

    private static void CheckCompanions(ModelManifest manifest)
    {
        Require(!manifest.Companions.IsDefault && manifest.Companions.Length <= MaximumCompanions, "companions", $"has more than {MaximumCompanions} files");
        var names = new HashSet<string>(StringComparer.OrdinalIgnoreCase) { ModelManifest.FileName };
        names.UnionWith(manifest.Files.Select(file => file.Name));
        for (var i = 0; i < manifest.Companions.Length; i++)
        {
            var (field, file) = ($"companions[{i}]", manifest.Companions[i]);
            Require(file?.Name is not null && IsPlainName(file.Name), field + ".name", "is not a plain file name");
            Require(names.Add(file!.Name), field + ".name", "appears twice");
            Require(file.Bytes is >= 0 and <= MaximumCompanionBytes, field + ".bytes", $"is not in [0, {MaximumCompanionBytes}]");
            Require(IsHash(file.Sha256), field + ".sha256", "is not 64 lower-case hexadecimal digits");
        }
    }

    private static void CheckNotes(ModelManifest manifest)
    {
        if (manifest.Calibration is { } calibration)
        {
            Require(IsHash(calibration.Sha256), "calibration.sha256", "is not 64 lower-case hexadecimal digits");
            Require(calibration.Tokens > 0, "calibration.tokens", "is not positive");
        }

        if (manifest.Quality is { } quality)
        {
            Require(IsHash(quality.TextSha256), "quality.textSha256", "is not 64 lower-case hexadecimal digits");
            Require(quality.Tokens > 0, "quality.tokens", "is not positive");
            Require(quality is { Perplexity: >= 1, ReferencePerplexity: >= 1 }, "quality", "has a perplexity below 1");
        }
    }

    private static bool IsWord(string text, int longest) =>
        text is not null && text.Length >= 1 && text.Length <= longest && !text.AsSpan().ContainsAnyExcept(NameCharacters);

    private static bool IsHash(string? text) => text is { Length: 64 } && !text.AsSpan().ContainsAnyExcept(HexDigits);

    private static void Range(int value, int least, int most, string field) =>
        Require(value >= least && value <= most, field, $"is {value}, not in [{least}, {most}]");

    private static void Require(bool condition, string field, string problem)
    {
        if (!condition)
        {
            throw new InvalidDataException($"The manifest is refused: {field} {problem}. Fetch the model again, or compress its checkpoint again.");
        }
    }
}
