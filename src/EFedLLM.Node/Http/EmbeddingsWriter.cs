using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Blocks;

namespace EFedLLM.Node.Http;

/// <summary>
/// Answers <c>/v1/embeddings</c>: for each input the mean of the encoder's last layer over all of its tokens, those that the
/// tokenizer puts around a text included, scaled to length 1 as OpenAI's are, so that a dot product is a cosine.
/// </summary>
internal sealed class EmbeddingsWriter(IGatewayBackend backend, EmbeddingsRequest request)
{
    /// <summary>Inputs of one request that are encoded at a time: enough for devices to make batches, few enough to leave places to others.</summary>
    private const int AtATime = 16;

    private readonly Embedding[] _embeddings = new Embedding[request.Prompts.Length];

    /// <summary>Encodes the inputs and writes the answer.</summary>
    /// <exception cref="ApiException">An input cannot be encoded; then nothing is written.</exception>
    public async Task WriteAsync(HttpContext http, CancellationToken cancellation)
    {
        var options = new ParallelOptions { MaxDegreeOfParallelism = AtATime, CancellationToken = cancellation };
        await Parallel.ForAsync(0, request.Prompts.Length, options, async (index, token) => _embeddings[index] = await EncodeAsync(index, token));
        var slowest = _embeddings.MaxBy(embedding => embedding.Timing.QueueMilliseconds + embedding.Timing.PrefillMilliseconds)!;
        http.Response.Headers["x-efedllm-route"] = string.Join(", ", slowest.Started.Route.Select(hop => $"{hop.Device.Short}={hop.Range}"));
        http.Response.Headers["x-efedllm-timing"] = string.Create(
            CultureInfo.InvariantCulture, $"queue={slowest.Timing.QueueMilliseconds:f1}ms, encode={slowest.Timing.PrefillMilliseconds:f1}ms");
        http.Response.ContentType = "application/json; charset=utf-8";
        await using var json = new Utf8JsonWriter(http.Response.BodyWriter);
        Write(json);
        await json.FlushAsync(cancellation);
    }

    private async Task<Embedding> EncodeAsync(int index, CancellationToken cancellation)
    {
        GenerationStarted? started = null;
        float[]? vector = null;
        await foreach (var happened in backend.GenerateAsync(request.Prompts[index], cancellation))
        {
            switch (happened)
            {
                case GenerationStarted start:
                    started = start;
                    break;
                case TextEncoded encoded:
                    vector = encoded.Values.ToArray();
                    SequencePooling.Normalize(vector);
                    break;
                case GenerationFinished finished when started is not null && vector is not null:
                    return new Embedding(started, vector, finished.Timing);
                case GenerationFailed failed:
                    throw Of(failed, index);
            }
        }

        throw new ApiException(StatusCodes.Status500InternalServerError, "The encoding ended without a result.", "server_error");
    }

    private ApiException Of(GenerationFailed failed, int index)
    {
        var error = HttpErrors.Of(failed);
        var place = request.Prompts.Length > 1 ? $"Input {index}: " : "";
        return error.Status == StatusCodes.Status400BadRequest
            ? new ApiException(error.Status, place + error.Message, error.Type, error.Param ?? "input", error.Code)
            : error;
    }

    private void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("object", "list");
        json.WriteStartArray("data");
        for (var index = 0; index < _embeddings.Length; index++)
        {
            json.WriteStartObject();
            json.WriteString("object", "embedding");
            json.WriteNumber("index", index);
            json.WritePropertyName("embedding");
            WriteVector(json, _embeddings[index].Vector);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteString("model", _embeddings[0].Started.ModelName);
        json.WriteStartObject("usage");
        var tokens = _embeddings.Sum(embedding => (long)embedding.Started.PromptTokens.Length);
        json.WriteNumber("prompt_tokens", tokens);
        json.WriteNumber("total_tokens", tokens);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private void WriteVector(Utf8JsonWriter json, float[] vector)
    {
        if (request.IsBase64)
        {
            // Every platform that .NET runs on is little-endian.
            json.WriteBase64StringValue(MemoryMarshal.AsBytes(vector.AsSpan()));
            return;
        }

        json.WriteStartArray();
        foreach (var value in vector)
        {
            json.WriteNumberValue(value);
        }

        json.WriteEndArray();
    }

    /// <param name="Started">How it began.</param>
    /// <param name="Vector">[hidden], of length 1.</param>
    /// <param name="Timing">How long it took.</param>
    private sealed record Embedding(GenerationStarted Started, float[] Vector, GenerationTiming Timing);
}
