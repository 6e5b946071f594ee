namespace EFedLLM.Transformer.Tokenizers;

/// <summary>How a chat is written as a prompt.</summary>
public sealed class ChatTemplate
{
    private const string System = "system";
    private const string User = "user";
    private const string Assistant = "assistant";

    private readonly ChatForm _form;

    internal ChatTemplate(string name, ChatForm form) => (Name, _form) = (name, form);

    /// <summary>The template's name: chatml, llama2, llama3, zephyr, mistral or plain.</summary>
    public string Name { get; }

    /// <summary>The names <see cref="Named"/> accepts.</summary>
    public static IReadOnlyList<string> Names { get; } = ["chatml", "llama2", "llama3", "zephyr", "mistral", "plain"];

    /// <summary>Recognises the template of a model folder from <c>chat_template.jinja</c> or <c>tokenizer_config.json</c>, or that of a GGUF file; a model without one is <c>plain</c>.</summary>
    /// <exception cref="InvalidDataException">A file is malformed; the message says which.</exception>
    /// <exception cref="NotSupportedException">The folder has a template that is none of the known ones; the message names the flag <c>--chat-template</c>.</exception>
    public static ChatTemplate Recognise(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        return ChatTemplateRecogniser.Recognise(folder);
    }

    /// <summary>The template of that name in its usual form.</summary>
    /// <exception cref="ArgumentException">There is none; the message lists the names.</exception>
    public static ChatTemplate Named(string name) => name switch
    {
        "chatml" or "plain" => new ChatTemplate(name, new ChatForm()),
        "llama2" or "mistral" => new ChatTemplate(name, new ChatForm { Begin = "<s>", End = "</s>" }),
        "llama3" => new ChatTemplate(name, new ChatForm { Begin = "<|begin_of_text|>" }),
        "zephyr" => new ChatTemplate(name, new ChatForm { End = "</s>" }),
        _ => throw new ArgumentException($"There is no chat template \"{name}\"; there are {string.Join(", ", Names)}.", nameof(name)),
    };

    /// <summary>
    /// Renders a chat, ending where the assistant's answer begins. What the template writes is trusted, what the messages
    /// say is not; the texts of all segments together are what the model's own template gives.
    /// </summary>
    /// <exception cref="ArgumentException">A role the template has no place for, or no message.</exception>
    public IReadOnlyList<PromptSegment> Render(IReadOnlyList<ChatMessage> messages)
    {
        ArgumentNullException.ThrowIfNull(messages);
        if (messages.Count == 0)
        {
            throw new ArgumentException("A chat needs at least one message.", nameof(messages));
        }

        if (messages.FirstOrDefault(message => message.Role is not (System or User or Assistant)) is { } stranger)
        {
            throw new ArgumentException($"The chat template {Name} has no place for the role \"{stranger.Role}\"; it knows {System}, {User} and {Assistant}.", nameof(messages));
        }

        var rendering = new ChatRendering();
        switch (Name)
        {
            case "chatml":
                RenderChatMl(rendering, messages);
                break;
            case "llama2":
                RenderLlama2(rendering, messages);
                break;
            case "llama3":
                RenderLlama3(rendering, messages);
                break;
            case "zephyr":
                RenderZephyr(rendering, messages);
                break;
            case "mistral":
                RenderMistral(rendering, messages);
                break;
            default:
                RenderPlain(rendering, messages);
                break;
        }

        return rendering.Segments();
    }

    private string Content(ChatMessage message) => _form.Trims ? message.Content.Trim() : message.Content;

    private void RenderChatMl(ChatRendering rendering, IReadOnlyList<ChatMessage> messages)
    {
        if (_form.DefaultSystem is { } usual && messages[0].Role != System)
        {
            rendering.Template($"<|im_start|>system\n{usual}<|im_end|>\n");
        }

        foreach (var message in messages)
        {
            rendering.Template($"<|im_start|>{message.Role}\n").Message(Content(message)).Template("<|im_end|>\n");
        }

        rendering.Template("<|im_start|>assistant\n");
    }

    private void RenderZephyr(ChatRendering rendering, IReadOnlyList<ChatMessage> messages)
    {
        foreach (var message in messages)
        {
            rendering.Template($"<|{message.Role}|>\n").Message(Content(message)).Template($"{_form.End}\n");
        }

        rendering.Template("<|assistant|>\n");
    }

    private void RenderLlama3(ChatRendering rendering, IReadOnlyList<ChatMessage> messages)
    {
        rendering.Template(_form.Begin);
        var first = 0;
        if (_form.SystemPreamble is { } preamble)
        {
            rendering.Template($"<|start_header_id|>system<|end_header_id|>\n\n{preamble}");
            if (messages[0].Role == System)
            {
                rendering.Message(messages[0].Content.Trim());
                first = 1;
            }

            rendering.Template("<|eot_id|>");
        }

        foreach (var message in messages.Skip(first))
        {
            rendering.Template($"<|start_header_id|>{message.Role}<|end_header_id|>\n\n").Message(message.Content.Trim()).Template("<|eot_id|>");
        }

        rendering.Template("<|start_header_id|>assistant<|end_header_id|>\n\n");
    }

    private void RenderLlama2(ChatRendering rendering, IReadOnlyList<ChatMessage> messages)
    {
        var (system, turns) = Turns(messages);
        for (var i = 0; i < turns.Count; i++)
        {
            if (turns[i].Role == Assistant)
            {
                rendering.Template(" ").Message(turns[i].Content.Trim()).Template($" {_form.End}");
            }
            else if (i == 0 && system is not null)
            {
                rendering.Template($"{_form.Begin}[INST] <<SYS>>\n").Message(system.Content).Template("\n<</SYS>>\n\n").Message(turns[i].Content.TrimEnd()).Template(" [/INST]");
            }
            else
            {
                rendering.Template($"{_form.Begin}[INST] ").Message(turns[i].Content.Trim()).Template(" [/INST]");
            }
        }
    }

    private void RenderMistral(ChatRendering rendering, IReadOnlyList<ChatMessage> messages)
    {
        var (system, turns) = Turns(messages);
        var withSystem = _form.HasSystemInLast ? turns.Count - 1 : 0;
        rendering.Template(_form.Begin);
        for (var i = 0; i < turns.Count; i++)
        {
            if (turns[i].Role == Assistant)
            {
                rendering.Template(_form.BeforeAnswer).Message(Content(turns[i])).Template(_form.End + _form.AfterAnswer);
                continue;
            }

            rendering.Template(_form.Open);
            if (system is not null && i == withSystem)
            {
                rendering.Message(system.Content).Template("\n\n");
            }

            rendering.Message(turns[i].Content).Template(_form.Close);
        }
    }

    private static void RenderPlain(ChatRendering rendering, IReadOnlyList<ChatMessage> messages)
    {
        for (var i = 0; i < messages.Count; i++)
        {
            rendering.Template(i == 0 ? "" : "\n\n").Message(messages[i].Content);
        }
    }

    /// <summary>The system message, if there is one, and the turns, which begin and end with the user's and alternate.</summary>
    private (ChatMessage? System, List<ChatMessage> Turns) Turns(IReadOnlyList<ChatMessage> messages)
    {
        var system = messages[0].Role == System ? messages[0] : null;
        List<ChatMessage> turns = [.. messages.Skip(system is null ? 0 : 1)];
        if (turns.Count % 2 == 0 || turns.Where((message, i) => message.Role != (i % 2 == 0 ? User : Assistant)).Any())
        {
            throw new ArgumentException(
                $"The chat template {Name} takes at most one system message, at the beginning, and then messages of user and assistant in turns, the first and the last of them the user's.",
                nameof(messages));
        }

        return (system, turns);
    }
}
