using System.Collections.Frozen;
using System.Text.Json;

namespace EFedLLM.Transformer.Checkpoints.Gguf;

/// <summary>
/// What the names in <c>tokenizer.ggml.pre</c> stand for (llama.cpp's <c>llama-vocab.cpp</c>, and the <c>tokenizer.json</c>
/// of the models that its conversion gives the names to): how byte-level text is cut into words before pairs are merged.
/// </summary>
internal sealed record GgufPreTokenizer
{
    private const string LowerSuffixes = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
    private const string Spaces = @"\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string Upper = @"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]";
    private const string Lower = @"[\p{Ll}\p{Lm}\p{Lo}\p{M}]";

    private static readonly GgufPreTokenizer Gpt2 = new() { ThenWords = true };
    private static readonly GgufPreTokenizer Digits = new() { SeparatesDigits = true, ThenWords = true };
    private static readonly GgufPreTokenizer Triples = new() { Patterns = [Words(@"\p{N}{1,3}")] };
    private static readonly GgufPreTokenizer Llama3 = Triples with { IgnoresMerges = true, AddsBegin = true };
    private static readonly GgufPreTokenizer Singles = new() { Patterns = [Words(@"\p{N}")] };

    private static readonly GgufPreTokenizer Tekken = new()
    {
        Patterns = [$@"[^\r\n\p{{L}}\p{{N}}]?{Upper}*{Lower}+|[^\r\n\p{{L}}\p{{N}}]?{Upper}+{Lower}*|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{Spaces}"],
        IgnoresMerges = true,
        AddsBegin = true,
    };

    private static readonly GgufPreTokenizer DeepSeekCoder = new()
    {
        Patterns = [@"[\r\n]", @"\s?\p{L}+", @"\s?\p{P}+", "[\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF]+"],
        SeparatesDigits = true,
    };

    /// <summary>What llama.cpp does for a file that does not say, which fits few models.</summary>
    private static readonly GgufPreTokenizer Default = new()
    {
        Patterns = [@"[\p{P}\$\+<=>\^~\|]+", @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", @"\p{N}+", "[0-9][0-9][0-9]"],
    };

    private static readonly FrozenDictionary<string, GgufPreTokenizer> Known = Build();

    /// <summary>Patterns that split, in order, each what the ones before left.</summary>
    public string[] Patterns { get; private init; } = [];

    /// <summary>Whether every digit then stands by itself.</summary>
    public bool SeparatesDigits { get; private init; }

    /// <summary>Whether GPT-2's own pattern then splits.</summary>
    public bool ThenWords { get; private init; }

    /// <summary>Whether a word that is a token is taken whole.</summary>
    public bool IgnoresMerges { get; private init; }

    /// <summary>Whether text is brought into Unicode's composed form first.</summary>
    public bool Composes { get; private init; }

    /// <summary>Whether a begin token goes in front where the file does not say.</summary>
    public bool AddsBegin { get; private init; }

    /// <summary>The names that are known, for messages.</summary>
    public static string Names { get; } = string.Join(", ", Known.Keys.Order(StringComparer.Ordinal));

    /// <summary>What a name stands for, or null where it is not known.</summary>
    public static GgufPreTokenizer? Find(string name) => Known.TryGetValue(name, out var known) ? known : null;

    /// <summary>Whether text of that kind has a begin token in front where the file does not say.</summary>
    public static bool BeginsTexts(string name) => Find(name)?.AddsBegin == true;

    /// <summary>Writes the <c>pre_tokenizer</c> of a <c>tokenizer.json</c>.</summary>
    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject("pre_tokenizer");
        json.WriteString("type", "Sequence");
        json.WriteStartArray("pretokenizers");
        foreach (var pattern in Patterns)
        {
            json.WriteStartObject();
            json.WriteString("type", "Split");
            json.WriteStartObject("pattern");
            json.WriteString("Regex", pattern);
            json.WriteEndObject();
            json.WriteString("behavior", "Isolated");
            json.WriteBoolean("invert", false);
            json.WriteEndObject();
        }

        if (SeparatesDigits)
        {
            json.WriteStartObject();
            json.WriteString("type", "Digits");
            json.WriteBoolean("individual_digits", true);
            json.WriteEndObject();
        }

        json.WriteStartObject();
        json.WriteString("type", "ByteLevel");
        json.WriteBoolean("add_prefix_space", false);
        json.WriteBoolean("trim_offsets", true);
        json.WriteBoolean("use_regex", ThenWords);
        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>The pattern of cl100k and its many variants, which differ in how they cut numbers.</summary>
    private static string Words(string numbers) => $@"{LowerSuffixes}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{numbers}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{Spaces}";

    private static FrozenDictionary<string, GgufPreTokenizer> Build()
    {
        var known = new Dictionary<string, GgufPreTokenizer> { ["qwen2"] = Singles with { Composes = true }, ["tekken"] = Tekken, ["default"] = Default, ["deepseek-coder"] = DeepSeekCoder };
        foreach (var (names, kind) in new[]
        {
            ("llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2", Llama3),
            ("dbrx smaug-bpe glm4 chatglm-bpe", Triples),
            ("deepseek-r1-qwen megrez stablelm2 hunyuan solar-open", Singles),
            ("smollm starcoder refact command-r codeshell exaone minerva-7b", Digits),
            ("gpt-2 phi-2 mpt olmo jais trillion exaone4 mellum gigachat a.x-4.0", Gpt2),
        })
        {
            foreach (var name in names.Split(' '))
            {
                known.Add(name, kind);
            }
        }

        return known.ToFrozenDictionary();
    }
}
