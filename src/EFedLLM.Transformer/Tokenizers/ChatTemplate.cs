namespace EFedLLM.Transformer.Tokenizers;

/// <summary>How a chat is written as a prompt.</summary>
public sealed class ChatTemplate
{
    private ChatTemplate(string name) => Name = name;

    /// <summary>The template's name: chatml, llama2, llama3, zephyr, mistral or plain.</summary>
    public string Name { get; }

    /// <summary>The names <see cref="Named"/> accepts.</summary>
    public static IReadOnlyList<string> Names { get; } = ["chatml", "llama2", "llama3", "zephyr", "mistral", "plain"];

    /// <summary>Recognises the template of a model folder from <c>tokenizer_config.json</c>; a folder without one is <c>plain</c>.</summary>
    /// <exception cref="NotSupportedException">The folder has a template that is none of the known ones; the message names the flag <c>--chat-template</c>.</exception>
    public static ChatTemplate Recognise(string folder) => throw new NotSupportedException();

    /// <summary>The template of that name.</summary>
    /// <exception cref="ArgumentException">There is none; the message lists the names.</exception>
    public static ChatTemplate Named(string name) => new(name);

    /// <summary>Renders a chat, ending where the assistant's answer begins.</summary>
    /// <exception cref="ArgumentException">A role the template has no place for, or no message.</exception>
    public IReadOnlyList<PromptSegment> Render(IReadOnlyList<ChatMessage> messages) => throw new NotSupportedException();
}
