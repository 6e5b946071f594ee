using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Transformer.Tokenizers;

/// <summary>Tells a folder's chat template by its characteristic marks. The template (Jinja) itself is a program of a stranger's and is not run.</summary>
internal static partial class ChatTemplateRecogniser
{
    private const string ConfigFileName = "tokenizer_config.json";
    private const string TemplateFileName = "chat_template.jinja";
    private const long MaximumBytes = 8L << 20;
    private const int MatchMilliseconds = 2000;

    public static ChatTemplate Recognise(string folder)
    {
        var (template, begin, end) = ReadConfig(folder);
        if (CompanionFiles.Read(folder, TemplateFileName, MaximumBytes) is { } file)
        {
            template = Encoding.UTF8.GetString(file);
        }

        if (string.IsNullOrWhiteSpace(template))
        {
            return ChatTemplate.Named("plain");
        }

        return Recognise(template, begin, end) ?? throw new NotSupportedException(
            $"The chat template of \"{folder}\" is none of the known ones. Choose one with --chat-template: {string.Join(", ", ChatTemplate.Names)}.");
    }

    /// <summary>The template, or null for one without the marks of a known one.</summary>
    /// <param name="template">Its text.</param>
    /// <param name="begin">The begin token, or empty.</param>
    /// <param name="end">The end token, or empty.</param>
    internal static ChatTemplate? Recognise(string template, string begin, string end)
    {
        if (Has("<|im_start|>") && Has("<|im_end|>") && !Has("<|im_sep|>"))
        {
            var system = DefaultSystem().Match(template);
            return new ChatTemplate("chatml", new ChatForm
            {
                Trims = TrimmedContent().IsMatch(template),
                DefaultSystem = system.Success ? system.Groups[1].Value.Replace("\\n", "\n", StringComparison.Ordinal) : null,
            });
        }

        if (Has("<|start_header_id|>") && Has("<|end_header_id|>") && Has("<|eot_id|>"))
        {
            return new ChatTemplate("llama3", new ChatForm { Begin = begin, SystemPreamble = Preamble(template) });
        }

        if (Has("[INST]") && Has("[/INST]") && !Has("[SYSTEM_PROMPT]"))
        {
            return Has("<<SYS>>")
                ? new ChatTemplate("llama2", new ChatForm { Begin = begin, End = end })
                : new ChatTemplate("mistral", Mistral(template, begin, end));
        }

        return Has("<|user|>") && Has("<|assistant|>") && Has("eos_token") && !Has("<|end|>")
            ? new ChatTemplate("zephyr", new ChatForm { End = end, Trims = TrimmedContent().IsMatch(template) })
            : null;

        bool Has(string mark) => template.Contains(mark, StringComparison.Ordinal);
    }

    private static ChatForm Mistral(string template, string begin, string end) => new()
    {
        Begin = begin,
        End = end,
        Trims = TrimmedAnswer().IsMatch(template),
        Open = (LeadingSpace().IsMatch(template) ? " [INST]" : "[INST]") + (template.Contains("[INST] ", StringComparison.Ordinal) ? " " : ""),
        Close = template.Contains(" [/INST]", StringComparison.Ordinal) ? " [/INST]" : "[/INST]",
        BeforeAnswer = SpaceBeforeAnswer().IsMatch(template) ? " " : "",
        AfterAnswer = SpaceBehindEnd().IsMatch(template) ? " " : "",
        HasSystemInLast = SystemInLast().IsMatch(template),
    };

    /// <summary>Llama 3.1 writes dates into every system message; the date of today is the template's own stand-in, so that a prompt does not depend on the day.</summary>
    private static string? Preamble(string template)
    {
        if (!template.Contains("Cutting Knowledge Date:", StringComparison.Ordinal))
        {
            return null;
        }

        var knowledge = KnowledgeDate().Match(template);
        var today = StandInDate().Match(template);
        return $"Cutting Knowledge Date: {(knowledge.Success ? knowledge.Groups[1].Value : "December 2023")}\nToday Date: {(today.Success ? today.Groups[1].Value : "26 Jul 2024")}\n\n";
    }

    private static (string? Template, string Begin, string End) ReadConfig(string folder)
    {
        var path = Path.Combine(folder, ConfigFileName);
        if (CompanionFiles.Read(folder, ConfigFileName, MaximumBytes) is not { } bytes)
        {
            return (null, "", "");
        }

        using var document = CheckpointJson.ParseObject(bytes, path);
        var root = document.RootElement;
        return (ReadTemplate(root, path), ReadToken(root, "bos_token", path), ReadToken(root, "eos_token", path));
    }

    private static string? ReadTemplate(JsonElement root, string path)
    {
        switch (CheckpointJson.Get(root, "chat_template"))
        {
            case null:
                return null;
            case { ValueKind: JsonValueKind.Array } list:
                var named = list.EnumerateArray().Where(entry => CheckpointJson.Get(entry, "name") is { } name && CheckpointJson.Text(name, "chat_template.name", path) == "default");
                var entry = named.Concat(list.EnumerateArray()).FirstOrDefault();
                return CheckpointJson.Get(entry, "template") is { } chosen ? CheckpointJson.Text(chosen, "chat_template.template", path) : null;
            case { } template:
                return CheckpointJson.Text(template, "chat_template", path);
        }
    }

    private static string ReadToken(JsonElement root, string name, string path) => CheckpointJson.Get(root, name) switch
    {
        null => "",
        { ValueKind: JsonValueKind.Object } token => CheckpointJson.Get(token, "content") is { } content ? CheckpointJson.Text(content, name, path) : "",
        { } token => CheckpointJson.Text(token, name, path),
    };

    [GeneratedRegex(@"<\|im_start\|>system(?:\\n|\n)([^<>'""{}]+)<\|im_end\|>", RegexOptions.CultureInvariant, MatchMilliseconds)]
    private static partial Regex DefaultSystem();

    [GeneratedRegex(@"message(?:\['content'\]|\[""content""\]|\.content)\s*(?:\|\s*trim|\.strip\(\))", RegexOptions.CultureInvariant, MatchMilliseconds)]
    private static partial Regex TrimmedContent();

    [GeneratedRegex(@"message(?:\['content'\]|\[""content""\]|\.content)\s*\|\s*trim\s*\+\s*eos_token", RegexOptions.CultureInvariant, MatchMilliseconds)]
    private static partial Regex TrimmedAnswer();

    [GeneratedRegex(@"['""] \[INST\]", RegexOptions.CultureInvariant, MatchMilliseconds)]
    private static partial Regex LeadingSpace();

    [GeneratedRegex(@"['""] ['""]\s*\+\s*message", RegexOptions.CultureInvariant, MatchMilliseconds)]
    private static partial Regex SpaceBeforeAnswer();

    [GeneratedRegex(@"eos_token\s*\+\s*['""] ['""]", RegexOptions.CultureInvariant, MatchMilliseconds)]
    private static partial Regex SpaceBehindEnd();

    [GeneratedRegex(@"loop\.last[^%]*system_message|system_message[^%]*loop\.last", RegexOptions.CultureInvariant, MatchMilliseconds)]
    private static partial Regex SystemInLast();

    [GeneratedRegex(@"Cutting Knowledge Date: ([A-Za-z0-9 ]{1,40})", RegexOptions.CultureInvariant, MatchMilliseconds)]
    private static partial Regex KnowledgeDate();

    [GeneratedRegex(@"date_string\s*=\s*['""]([A-Za-z0-9 ]{1,40})['""]", RegexOptions.CultureInvariant, MatchMilliseconds)]
    private static partial Regex StandInDate();
}
