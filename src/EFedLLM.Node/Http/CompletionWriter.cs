using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Node.Http;

/// <summary>Turns the events of one generation into the answer of <c>/v1/chat/completions</c> or <c>/v1/completions</c>, whole or streamed.</summary>
internal sealed class CompletionWriter(IGatewayBackend backend, CompletionRequest request, TimeProvider clock)
{
    /// <summary>The root over what the hops signed for the answer; a stream has it in its last chunk, as it is not known before.</summary>
    public const string ReceiptsHeader = "x-efedllm-receipts";

    private readonly string _id = $"{(request.IsChat ? "chatcmpl" : "cmpl")}-{request.Prompt.Id}";
    private readonly long _created = clock.GetUtcNow().ToUnixTimeSeconds();

    public async Task WriteAsync(HttpContext http, CancellationToken cancellation)
    {
        await using var events = backend.GenerateAsync(request.Prompt, cancellation).GetAsyncEnumerator(cancellation);
        var started = await NextAsync(events) as GenerationStarted
            ?? throw new ApiException(StatusCodes.Status500InternalServerError, "The gateway did not start the generation.", "server_error");
        http.Response.Headers["x-efedllm-session"] = started.Session.ToString();
        http.Response.Headers["x-efedllm-route"] = string.Join(", ", started.Route.Select(hop => $"{hop.Device.Short}={hop.Range}"));
        if (request.Stream)
        {
            await StreamAsync(http, started, events, cancellation);
        }
        else
        {
            await WholeAsync(http, started, events);
        }
    }

    private async Task WholeAsync(HttpContext http, GenerationStarted started, IAsyncEnumerator<IEvent> events)
    {
        var text = new StringBuilder(EchoOf(started));
        var choices = new List<TokenChoice>();
        while (true)
        {
            switch (await NextAsync(events))
            {
                case PromptScored scored:
                    choices.AddRange(scored.Choices);
                    break;
                case TokenGenerated token:
                    text.Append(token.Text);
                    choices.Add(token.Choice);
                    break;
                case GenerationFinished finished:
                    text.Append(finished.Text);
                    http.Response.Headers["x-efedllm-timing"] = Timing(finished.Timing);
                    if (finished.Receipts != default)
                    {
                        http.Response.Headers[ReceiptsHeader] = finished.Receipts.ToString();
                    }

                    await WriteWholeAsync(http, started, text.ToString(), choices, finished);
                    return;
            }
        }
    }

    private Task WriteWholeAsync(HttpContext http, GenerationStarted started, string text, List<TokenChoice> choices, GenerationFinished finished)
    {
        var logprobs = new LogprobWriter(backend, started.Model);
        var usage = UsageOf(finished.Timing);
        var reason = Reason(finished.Reason);
        return request.IsChat
            ? http.Response.WriteAsJsonAsync(
                new ChatCompletion(_id, "chat.completion", _created, started.ModelName, started.Model.Short,
                    [new ChatChoice(0, new ChatAnswer("assistant", text, null), request.Logprobs ? logprobs.Chat(choices) : null, reason)], usage)
                {
                    Efedllm = Facts(finished),
                },
                OpenAiJson.Default.ChatCompletion)
            : http.Response.WriteAsJsonAsync(
                TextChunk(started, text, !request.Logprobs ? null : request.Echo ? logprobs.Echo(started.PromptTokens[0], choices) : logprobs.Text(choices), reason) with { Usage = usage, Efedllm = Facts(finished) },
                OpenAiJson.Default.TextCompletion);
    }

    private async Task StreamAsync(HttpContext http, GenerationStarted started, IAsyncEnumerator<IEvent> events, CancellationToken cancellation)
    {
        var body = http.Response.BodyWriter;
        http.Response.ContentType = "text/event-stream";
        http.Response.Headers.CacheControl = "no-cache";
        var logprobs = new LogprobWriter(backend, started.Model);
        if (request.IsChat)
        {
            await SendAsync(http, ChatChunkOf(started, new ChatDelta { Role = "assistant", Content = "" }, null, null), OpenAiJson.Default.ChatChunk, cancellation);
        }

        try
        {
            var prompt = new List<TokenChoice>();
            var isEchoed = !request.Echo;
            while (true)
            {
                var next = await NextAsync(events);
                if (next is PromptScored scored)
                {
                    prompt.AddRange(scored.Choices);
                    continue;
                }

                if (!isEchoed)
                {
                    isEchoed = true;
                    await SendAsync(http, TextChunk(started, EchoOf(started), request.Logprobs ? logprobs.Echo(started.PromptTokens[0], prompt) : null, null), OpenAiJson.Default.TextCompletion, cancellation);
                }

                switch (next)
                {
                    case TokenGenerated token:
                        await SendPieceAsync(http, started, token.Text, request.Logprobs ? [token.Choice] : null, logprobs, cancellation);
                        break;
                    case GenerationFinished finished:
                        if (finished.Text.Length > 0)
                        {
                            await SendPieceAsync(http, started, finished.Text, null, logprobs, cancellation);
                        }

                        await SendEndAsync(http, started, finished, cancellation);
                        return;
                }
            }
        }
        catch (ApiException error)
        {
            // The status line is long gone: the error travels as the last event of the stream.
            await SendAsync(http, HttpErrors.Body(error), OpenAiJson.Default.ErrorResponse, cancellation);
        }

        await body.FlushAsync(cancellation);
    }

    /// <summary>The prompt as it was asked with, or as its tokens read; nothing where it is not echoed.</summary>
    private string EchoOf(GenerationStarted started) => !request.Echo ? ""
        : request.Prompt.Input.Text ?? string.Concat(started.PromptTokens.Select(id => backend.TokenText(started.Model, id)));

    private Task SendPieceAsync(HttpContext http, GenerationStarted started, string text, TokenChoice[]? choices, LogprobWriter logprobs, CancellationToken cancellation)
    {
        // Without probabilities, a token whose text is not certain yet has nothing to say.
        if (text.Length == 0 && choices is null)
        {
            return Task.CompletedTask;
        }

        return request.IsChat
            ? SendAsync(http, ChatChunkOf(started, new ChatDelta { Content = text }, choices is null ? null : logprobs.Chat(choices), null), OpenAiJson.Default.ChatChunk, cancellation)
            : SendAsync(http, TextChunk(started, text, choices is null ? null : logprobs.Text(choices), null), OpenAiJson.Default.TextCompletion, cancellation);
    }

    private async Task SendEndAsync(HttpContext http, GenerationStarted started, GenerationFinished finished, CancellationToken cancellation)
    {
        var reason = Reason(finished.Reason);
        var usage = UsageOf(finished.Timing);
        if (request.IsChat)
        {
            await SendAsync(http, ChatChunkOf(started, new ChatDelta(), null, reason) with { Efedllm = Facts(finished) }, OpenAiJson.Default.ChatChunk, cancellation);
            if (request.IncludeUsage)
            {
                await SendAsync(http, ChatChunkOf(started) with { Usage = usage }, OpenAiJson.Default.ChatChunk, cancellation);
            }
        }
        else
        {
            await SendAsync(http, TextChunk(started, "", null, reason) with { Efedllm = Facts(finished) }, OpenAiJson.Default.TextCompletion, cancellation);
            if (request.IncludeUsage)
            {
                await SendAsync(http, TextChunk(started, "", null, null) with { Choices = [], Usage = usage }, OpenAiJson.Default.TextCompletion, cancellation);
            }
        }

        await http.Response.WriteAsync("data: [DONE]\n\n", cancellation);
        await http.Response.Body.FlushAsync(cancellation);
    }

    private static async Task SendAsync<T>(HttpContext http, T value, JsonTypeInfo<T> type, CancellationToken cancellation)
    {
        var item = JsonSerializer.SerializeToUtf8Bytes(value, type);
        var body = http.Response.BodyWriter;
        var frame = body.GetMemory(item.Length + 8);
        var length = 0;
        "data: "u8.CopyTo(frame.Span);
        length += 6;
        item.CopyTo(frame.Span[length..]);
        length += item.Length;
        "\n\n"u8.CopyTo(frame.Span[length..]);
        body.Advance(length + 2);
        await body.FlushAsync(cancellation);
    }

    private ChatChunk ChatChunkOf(GenerationStarted started, ChatDelta delta, ChatLogprobs? logprobs, string? reason) =>
        ChatChunkOf(started) with { Choices = [new ChatChunkChoice(0, delta, logprobs, reason)] };

    private ChatChunk ChatChunkOf(GenerationStarted started) =>
        new(_id, "chat.completion.chunk", _created, started.ModelName, started.Model.Short, []);

    private TextCompletion TextChunk(GenerationStarted started, string text, TextLogprobs? logprobs, string? reason) =>
        new(_id, "text_completion", _created, started.ModelName, started.Model.Short, [new TextChoice(0, text, logprobs, reason)]);

    private static AnswerFacts? Facts(GenerationFinished finished) => finished.Receipts == default ? null : new AnswerFacts(finished.Receipts.ToString());

    private static Usage UsageOf(GenerationTiming timing) =>
        new(timing.PromptTokens, timing.GeneratedTokens, timing.PromptTokens + timing.GeneratedTokens) { PromptTokensDetails = new PromptTokensDetails(timing.CachedTokens) };

    private static string Reason(FinishReason reason) => reason == FinishReason.Length ? "length" : "stop";

    private static string Timing(GenerationTiming timing) => string.Create(CultureInfo.InvariantCulture,
        $"queue={timing.QueueMilliseconds:f1}ms, prefill={timing.PrefillMilliseconds:f1}ms, decode={timing.DecodeMilliseconds:f1}ms, drafted={timing.DraftedTokens}, accepted={timing.AcceptedTokens}");

    private static async Task<IEvent> NextAsync(IAsyncEnumerator<IEvent> events)
    {
        if (!await events.MoveNextAsync())
        {
            throw new ApiException(StatusCodes.Status500InternalServerError, "The generation ended without a last word.", "server_error");
        }

        return events.Current is GenerationFailed failed ? throw HttpErrors.Of(failed) : events.Current;
    }
}
