using System.Text;

namespace EFedLLM.Transformer.Tokenizers;

/// <summary>Collects the pieces of a rendered chat: what the template writes is trusted, what a message says is not.</summary>
internal sealed class ChatRendering
{
    private readonly List<PromptSegment> _segments = [];
    private readonly StringBuilder _template = new();

    /// <summary>Appends text of the template.</summary>
    public ChatRendering Template(string text)
    {
        _template.Append(text);
        return this;
    }

    /// <summary>Appends text of a message.</summary>
    public ChatRendering Message(string text)
    {
        if (text.Length > 0)
        {
            EndTemplate();
            _segments.Add(new PromptSegment(text, IsTrusted: false));
        }

        return this;
    }

    public IReadOnlyList<PromptSegment> Segments()
    {
        EndTemplate();
        return _segments;
    }

    private void EndTemplate()
    {
        if (_template.Length > 0)
        {
            _segments.Add(new PromptSegment(_template.ToString(), IsTrusted: true));
            _template.Clear();
        }
    }
}
