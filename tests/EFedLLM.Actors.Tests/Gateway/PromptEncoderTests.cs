using System.Collections.Immutable;
using EFedLLM.Actors.Gateway;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Sampling;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Actors.Tests.Gateway;

public sealed class PromptEncoderTests
{
    private static readonly Lazy<GatewayModel> Model = new(() => GatewayModel.Open(SharedModels.Model("efed-mini")));

    [SharedFact]
    public void Texts_chats_and_tokens_become_the_tokenizers_ids()
    {
        var model = Model.Value;
        Assert.Equal(model.Tokenizer.Encode("How are you?"), Encode(new PromptInput(Text: "How are you?")).Tokens.ToArray());
        Assert.Equal([5, 6, 7], Encode(new PromptInput(Tokens: [5, 6, 7])).Tokens.ToArray());
        ImmutableArray<ChatMessage> chat = [new("user", "How are you?")];
        Assert.Equal(model.Tokenizer.Encode(ChatTemplate.Named("chatml").Render(chat)), Encode(new PromptInput(Messages: chat)).Tokens.ToArray());
    }

    [SharedFact]
    public void An_answer_gets_as_many_tokens_as_the_context_has_room_for()
    {
        Assert.Equal(512 - 500, Encode(new PromptInput(Tokens: Tokens(500)), 100).Settings.MaxTokens);
        Assert.Equal(7, Encode(new PromptInput(Tokens: Tokens(500)), 7).Settings.MaxTokens);
        Assert.Equal(GenerationError.TooLong, Encode(new PromptInput(Tokens: Tokens(512))).Error);
    }

    [SharedTheory]
    [InlineData("no tokens", GenerationError.Invalid)]
    [InlineData("no text", GenerationError.Invalid)]
    [InlineData("no messages", GenerationError.Invalid)]
    [InlineData("a stranger's role", GenerationError.Invalid)]
    [InlineData("a token beyond the vocabulary", GenerationError.Invalid)]
    [InlineData("a negative token", GenerationError.Invalid)]
    [InlineData("more tokens than the gateway takes", GenerationError.TooLong)]
    public void A_prompt_that_cannot_be_answered_is_refused(string what, GenerationError error)
    {
        var input = what switch
        {
            "no tokens" => new PromptInput(Tokens: []),
            "no text" => new PromptInput(Text: ""),
            "no messages" => new PromptInput(Messages: []),
            "a stranger's role" => new PromptInput(Messages: [new("wizard", "")]),
            "a token beyond the vocabulary" => new PromptInput(Tokens: [1536]),
            "a negative token" => new PromptInput(Tokens: [-1]),
            _ => new PromptInput(Tokens: Tokens(301)),
        };
        var encoded = Encode(input);
        Assert.Equal(error, encoded.Error);
        Assert.NotEmpty(encoded.Problem!);
    }

    [Theory]
    [InlineData("nothing")]
    [InlineData("two inputs")]
    [InlineData("no answer")]
    [InlineData("a longer answer than possible")]
    [InlineData("temperature")]
    [InlineData("top_p")]
    [InlineData("top_logprobs")]
    [InlineData("17 stop texts")]
    [InlineData("an empty stop text")]
    [InlineData("a long stop text")]
    [InlineData("a long text")]
    [InlineData("a long chat")]
    [InlineData("many messages")]
    public void A_prompt_beyond_a_bound_is_refused_before_it_is_encoded(string what)
    {
        var (text, usual) = (new PromptInput(Text: "x"), new GenerationSettings());
        var (input, settings) = what switch
        {
            "nothing" => (new PromptInput(), usual),
            "two inputs" => (text with { Tokens = [1] }, usual),
            "no answer" => (text, usual with { MaxTokens = 0 }),
            "a longer answer than possible" => (text, usual with { MaxTokens = 8193 }),
            "temperature" => (text, usual with { Sampling = new SamplingSettings { Temperature = float.NaN } }),
            "top_p" => (text, usual with { Sampling = new SamplingSettings { TopP = 0 } }),
            "top_logprobs" => (text, usual with { Sampling = new SamplingSettings { TopLogprobs = 21 } }),
            "17 stop texts" => (text, usual with { Stop = [.. Enumerable.Repeat("x", 17)] }),
            "an empty stop text" => (text, usual with { Stop = [""] }),
            "a long stop text" => (text, usual with { Stop = [new string('x', 257)] }),
            "a long text" => (new PromptInput(Text: new string('x', 1048577)), usual),
            "a long chat" => (new PromptInput(Messages: [.. Enumerable.Repeat(new ChatMessage("user", new string('x', 1024)), 1024)]), usual),
            _ => (new PromptInput(Messages: [.. Enumerable.Repeat(new ChatMessage("user", ""), 4097)]), usual),
        };
        Assert.NotEmpty(PromptEncoder.Problem(new Prompt(PromptId.New(), input, settings), TestLimits.Reference)!);
        Assert.Null(PromptEncoder.Problem(new Prompt(PromptId.New(), text, usual), TestLimits.Reference));
    }

    [Fact]
    public void What_no_device_signs_cannot_be_verified()
    {
        var prompt = new Prompt(PromptId.New(), new PromptInput(Text: "x"), new GenerationSettings(), Verified: true);
        Assert.Null(PromptEncoder.Problem(prompt, TestLimits.Reference));
        Assert.Contains("cannot be verified", PromptEncoder.Problem(prompt with { ScorePrompt = true }, TestLimits.Reference), StringComparison.Ordinal);
        Assert.Contains(
            "cannot be verified",
            PromptEncoder.Problem(prompt with { Settings = new GenerationSettings { Sampling = new SamplingSettings { TopLogprobs = 2 } } }, TestLimits.Reference),
            StringComparison.Ordinal);
    }

    [SharedFact]
    public void A_prompt_that_is_only_scored_needs_two_tokens_and_may_fill_the_context_and_one_more()
    {
        var context = Model.Value.Served.ContextLength;
        Assert.Null(PromptEncoder.Problem(new Prompt(PromptId.New(), new PromptInput(Text: "x"), new GenerationSettings { MaxTokens = 0 }, ScorePrompt: true), TestLimits.Reference));
        Assert.Equal(GenerationError.Invalid, Encode(new PromptInput(Tokens: Tokens(1)), 0).Error);
        Assert.Null(Encode(new PromptInput(Tokens: Tokens(2)), 0).Problem);
        Assert.Equal((context + 1, 0), (Encode(new PromptInput(Tokens: Tokens(context + 1)), 0).Tokens.Length, Encode(new PromptInput(Tokens: Tokens(context + 1)), 0).Settings.MaxTokens));
        Assert.Equal(GenerationError.TooLong, Encode(new PromptInput(Tokens: Tokens(context + 2)), 0).Error);
    }

    private static EncodedPrompt Encode(PromptInput input, int maxTokens = 256)
        => PromptEncoder.Encode(Model.Value, new Prompt(PromptId.New(), input, new GenerationSettings { MaxTokens = maxTokens }), TestLimits.Reference with { MaxPromptTokens = input.Tokens is { Length: 301 } ? 300 : 10_000 });

    private static ImmutableArray<int> Tokens(int count) => [.. Enumerable.Range(0, count).Select(index => index % 100)];
}
