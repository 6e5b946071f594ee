using System.Text;
using System.Text.Json.Nodes;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Node.Http;

/// <summary>Writes token probabilities in the two shapes of OpenAI's endpoints.</summary>
internal sealed class LogprobWriter(IGatewayBackend backend, ModelId model)
{
    private int _textOffset;

    public ChatLogprobs Chat(IReadOnlyList<TokenChoice> choices) => new([.. choices.Select(choice =>
    {
        var text = backend.TokenText(model, choice.Id);
        return new ChatTokenLogprob(text, choice.Logprob, Bytes(text), [.. choice.Top.Select(top =>
        {
            var topText = backend.TokenText(model, top.Id);
            return new ChatTopLogprob(topText, top.Logprob, Bytes(topText));
        })]);
    })], null);

    public TextLogprobs Text(IReadOnlyList<TokenChoice> choices) => Text([.. choices.Select(choice => choice.Id)], choices);

    /// <summary>Of a prompt and what follows it: the first token has nothing before it that could make it likely.</summary>
    public TextLogprobs Echo(int first, IReadOnlyList<TokenChoice> choices)
    {
        var rest = Text([first, .. choices.Select(choice => choice.Id)], choices);
        return rest with { TokenLogprobs = [null, .. rest.TokenLogprobs], TopLogprobs = [null, .. rest.TopLogprobs] };
    }

    private TextLogprobs Text(IReadOnlyList<int> ids, IReadOnlyList<TokenChoice> choices)
    {
        var offsets = new List<int>(ids.Count);
        var tokens = ids.Select(id => backend.TokenText(model, id)).ToList();
        foreach (var token in tokens)
        {
            offsets.Add(_textOffset);
            _textOffset += token.Length;
        }

        var tops = choices.Select(choice =>
        {
            var top = new JsonObject();
            foreach (var candidate in choice.Top)
            {
                top.TryAdd(backend.TokenText(model, candidate.Id), JsonValue.Create(candidate.Logprob));
            }

            return top;
        });
        return new TextLogprobs(tokens, [.. choices.Select(choice => (float?)choice.Logprob)], [.. tops], offsets);
    }

    private static int[] Bytes(string text) => [.. Encoding.UTF8.GetBytes(text).Select(value => (int)value)];
}
