using System.Text.Json;
using System.Text.RegularExpressions;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Transformer.Tokenizers;

/// <summary>Reads the parts of a <c>tokenizer.json</c> (huggingface/tokenizers); a part that is not known is refused by its name.</summary>
internal sealed class TokenizerJsonParts(string path)
{
    private const int MaximumParts = 64;
    private const int MaximumPatternLength = 4096;

    /// <summary>Longest time one match may take: a pattern can be made to take for ever.</summary>
    private static readonly TimeSpan MatchTimeout = TimeSpan.FromSeconds(2);

    public List<Func<string, string>> Normalizers(JsonElement? element) =>
        [.. Flatten(element, "normalizer", "normalizers").Select(ReadNormalizer)];

    public List<TextSplitter> Splitters(JsonElement? element) =>
        [.. Flatten(element, "pre_tokenizer", "pretokenizers").Select(ReadSplitter)];

    /// <summary>The names of the special tokens that post-processing puts before and behind a text.</summary>
    public (List<int> Before, List<int> Behind) Template(JsonElement? element)
    {
        var (before, behind) = (new List<int>(), new List<int>());
        foreach (var part in Flatten(element, "post_processor", "processors"))
        {
            switch (Type(part))
            {
                case "ByteLevel":
                    break;
                case "TemplateProcessing":
                    ReadTemplate(part, before, behind);
                    break;
                case "BertProcessing":
                    before.Add(NamedId(part, "cls"));
                    behind.Add(NamedId(part, "sep"));
                    break;
                case var other:
                    throw Unsupported("post_processor", other);
            }
        }

        return (before, behind);
    }

    public DecodingPlan Decoder(JsonElement? element)
    {
        var parts = Flatten(element, "decoder", "decoders");
        if (parts.Count == 0)
        {
            throw Unsupported("decoder", "null");
        }

        var plan = new DecodingPlan();
        var isFused = false;
        foreach (var part in parts)
        {
            var type = Type(part);
            if (isFused && type != "Strip")
            {
                throw Unsupported("decoder", type + " behind Fuse");
            }

            isFused |= type == "Fuse";
            plan = ReadDecoder(plan, type, part, isFused, parts.Count);
        }

        return plan;
    }

    public List<AddedToken> AddedTokens(JsonElement? element)
    {
        const int Most = 1 << 17;
        if (element is not { } list)
        {
            return [];
        }

        if (list.ValueKind != JsonValueKind.Array || list.GetArrayLength() > Most)
        {
            throw Bad($"added_tokens is not a list of at most {Most} tokens");
        }

        return [.. list.EnumerateArray().Select(token => AddedToken(token, Id(CheckpointJson.Get(token, "id"), "an added token's id")))];
    }

    public AddedToken AddedToken(JsonElement token, int id)
    {
        var content = Text(token, "content", "an added token");
        var special = Flag(token, "special", false);
        return new AddedToken(
            id, content, special, Flag(token, "normalized", !special), Flag(token, "single_word", false), Flag(token, "lstrip", false), Flag(token, "rstrip", false));
    }

    public int Id(JsonElement? element, string what) =>
        element is { ValueKind: JsonValueKind.Number } number && number.TryGetInt32(out var id) && id is >= 0 and <= TokenizerJsonReader.MaximumId
            ? id
            : throw Bad($"{what} is not a whole number in [0, {TokenizerJsonReader.MaximumId}]");

    public bool Flag(JsonElement parent, string name, bool fallback) => CheckpointJson.Get(parent, name) switch
    {
        null => fallback,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        _ => throw Bad($"{name} is not true or false"),
    };

    public string Text(JsonElement parent, string name, string what) =>
        CheckpointJson.Text(CheckpointJson.Get(parent, name) ?? throw Bad($"{what} has no {name}"), name, path);

    public string Type(JsonElement part) => Text(part, "type", "a part");

    public InvalidDataException Bad(string problem) => new($"\"{path}\": {problem}. Fetch the tokenizer again.");

    public NotSupportedException Unsupported(string section, string what) =>
        new($"\"{path}\": {section} {what} is not supported. Tokenizers of Llama, Mistral, Qwen, SmolLM and BERT models are.");

    private List<JsonElement> Flatten(JsonElement? element, string section, string list)
    {
        var parts = new List<JsonElement>();
        Add(element);
        return parts;

        // The depth is bounded by the JSON reader's.
        void Add(JsonElement? part)
        {
            if (part is not { } present)
            {
                return;
            }

            if (parts.Count >= MaximumParts)
            {
                throw Bad($"{section} has more than {MaximumParts} parts");
            }

            if (Type(present) != "Sequence")
            {
                parts.Add(present);
            }
            else if (CheckpointJson.Get(present, list) is { ValueKind: JsonValueKind.Array } children && children.GetArrayLength() <= MaximumParts)
            {
                foreach (var child in children.EnumerateArray())
                {
                    Add(child);
                }
            }
            else
            {
                throw Bad($"{section} is a Sequence without a list {list} of at most {MaximumParts}");
            }
        }
    }

    private Func<string, string> ReadNormalizer(JsonElement part)
    {
        switch (Type(part))
        {
            case "Prepend":
                var prefix = Text(part, "prepend", "Prepend");
                return text => text.Length == 0 ? text : prefix + text;
            case "Replace":
                var (literal, pattern) = Pattern(part);
                var content = Text(part, "content", "Replace");
                return literal is { Length: > 0 } from
                    ? text => text.Replace(from, content, StringComparison.Ordinal)
                    : text => pattern!.Replace(text, _ => content);
            case "NFC":
                return CanonicalComposition.Apply;
            case "BertNormalizer":
                var lowers = Flag(part, "lowercase", true);
                return new BertNormalizer(Flag(part, "clean_text", true), Flag(part, "handle_chinese_chars", true), Flag(part, "strip_accents", lowers), lowers).Apply;
            case var other:
                throw Unsupported("normalizer", other);
        }
    }

    private TextSplitter ReadSplitter(JsonElement part)
    {
        switch (Type(part))
        {
            case "ByteLevel":
                return new ByteLevelSplitter(Flag(part, "add_prefix_space", true), Flag(part, "use_regex", true));
            case "BertPreTokenizer":
                return new BertSplitter();
            case "Digits":
                return Flag(part, "individual_digits", false)
                    ? new PatternSplitter(new Regex(@"\p{N}"), SplitBehavior.Isolated, invert: false)
                    : new PatternSplitter(new Regex(@"\p{N}+"), SplitBehavior.Isolated, invert: false);
            case "Split":
                var (literal, pattern) = Pattern(part);
                return new PatternSplitter(pattern ?? new Regex(Regex.Escape(literal!)), Behavior(part), Flag(part, "invert", false));
            case "Metaspace":
                var mark = Mark(part);
                return new MetaspaceSplitter(mark, Scheme(part), Flag(part, "split", true));
            case var other:
                throw Unsupported("pre_tokenizer", other);
        }
    }

    private (string? Literal, Regex? Pattern) Pattern(JsonElement part)
    {
        var pattern = CheckpointJson.Get(part, "pattern") ?? throw Bad("a part has no pattern");
        if (CheckpointJson.Get(pattern, "String") is { } literal && CheckpointJson.Text(literal, "pattern", path) is { Length: > 0 } text)
        {
            return (text, null);
        }

        var expression = Text(pattern, "Regex", "a pattern");
        if (expression.Length > MaximumPatternLength)
        {
            throw Bad($"a pattern has more than {MaximumPatternLength} characters");
        }

        try
        {
            return (null, new Regex(expression, RegexOptions.CultureInvariant, MatchTimeout));
        }
        catch (ArgumentException error)
        {
            throw new NotSupportedException($"\"{path}\": the pattern {expression} is not supported: {error.Message}", error);
        }
    }

    private SplitBehavior Behavior(JsonElement part) =>
        Enum.TryParse<SplitBehavior>(Text(part, "behavior", "Split"), out var behavior) && Enum.IsDefined(behavior)
            ? behavior
            : throw Unsupported("pre_tokenizer Split", Text(part, "behavior", "Split"));

    private char Mark(JsonElement part)
    {
        var mark = Text(part, "replacement", "Metaspace");
        return mark.Length == 1 ? mark[0] : throw Unsupported("Metaspace with the replacement", mark);
    }

    private PrependScheme Scheme(JsonElement part)
    {
        if (CheckpointJson.Get(part, "prepend_scheme") is null)
        {
            return Flag(part, "add_prefix_space", true) ? PrependScheme.Always : PrependScheme.Never;
        }

        return Text(part, "prepend_scheme", "Metaspace") switch
        {
            "always" => PrependScheme.Always,
            "first" => PrependScheme.First,
            "never" => PrependScheme.Never,
            var other => throw Unsupported("Metaspace with prepend_scheme", other),
        };
    }

    private DecodingPlan ReadDecoder(DecodingPlan plan, string type, JsonElement part, bool isFused, int parts)
    {
        switch (type)
        {
            case "ByteLevel" when parts == 1:
                return plan with { IsByteLevel = true };
            case "Replace" when !plan.HasByteTokens:
                var (literal, _) = Pattern(part);
                return literal is null
                    ? throw Unsupported("decoder", "Replace with a regular expression")
                    : plan with { Replacements = [.. plan.Replacements, (literal, Text(part, "content", "Replace"))] };
            case "ByteFallback":
                return plan with { HasByteTokens = true };
            case "Fuse":
                return plan;
            case "Strip" when isFused && plan.StripCount == 0 && Count(part, "stop") == 0 && Text(part, "content", "Strip") is { Length: 1 } content:
                return plan with { StripCharacter = content[0], StripCount = Count(part, "start") };
            case "WordPiece" when parts == 1:
                return plan with { ContinuingPrefix = Text(part, "prefix", "WordPiece"), TightensMarks = Flag(part, "cleanup", true) };
            case "Metaspace" when parts == 1:
                return plan with { SpaceMark = Mark(part), DropsFirstMark = Scheme(part) != PrependScheme.Never };
            default:
                throw Unsupported("decoder", type + " (as it is used here)");
        }
    }

    /// <summary>The id of a pair of a token and its id.</summary>
    private int NamedId(JsonElement part, string name) => CheckpointJson.Get(part, name) is { ValueKind: JsonValueKind.Array } pair && pair.GetArrayLength() == 2
        ? Id(pair[1], $"the id of {name}")
        : throw Bad($"post_processor has no pair of a token and its id as {name}");

    private int Count(JsonElement part, string name) => Id(CheckpointJson.Get(part, name), $"Strip's {name}");

    private void ReadTemplate(JsonElement part, List<int> before, List<int> behind)
    {
        if (CheckpointJson.Get(part, "single") is not { ValueKind: JsonValueKind.Array } single || single.GetArrayLength() > MaximumParts)
        {
            throw Bad($"post_processor has no list \"single\" of at most {MaximumParts}");
        }

        var target = before;
        foreach (var item in single.EnumerateArray())
        {
            if (CheckpointJson.Get(item, "Sequence") is { } sequence)
            {
                if (target == behind || Text(sequence, "id", "a Sequence") != "A")
                {
                    throw Unsupported("post_processor", "with more than one text");
                }

                target = behind;
            }
            else
            {
                var token = CheckpointJson.Get(item, "SpecialToken") ?? throw Bad("post_processor has a part that is neither Sequence nor SpecialToken");
                var name = Text(token, "id", "a SpecialToken");
                var entry = CheckpointJson.Get(part, "special_tokens") is { } tokens ? CheckpointJson.Get(tokens, name) : null;
                if (entry is not { } known || CheckpointJson.Get(known, "ids") is not { ValueKind: JsonValueKind.Array } ids || ids.GetArrayLength() > MaximumParts)
                {
                    throw Bad($"post_processor does not say the ids of {name}");
                }

                target.AddRange(ids.EnumerateArray().Select(id => Id(id, "an id of post_processor")));
            }
        }

        if (target == before)
        {
            throw Bad("post_processor has no place for the text");
        }
    }
}
