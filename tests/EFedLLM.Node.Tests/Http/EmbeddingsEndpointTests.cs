using System.Text.Json;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Blocks;

namespace EFedLLM.Node.Tests.Http;

public class EmbeddingsEndpointTests
{
    private const string Path = "/v1/embeddings";

    [Fact]
    public async Task A_text_gets_a_vector_of_length_1_in_openais_shape()
    {
        var backend = new ScriptedBackend();
        await using var server = await TestServer.StartAsync(backend);
        var (status, body) = await server.PostAsync(Path, """{"model":"tiny","input":"Hi","user":"me"}""");

        Assert.Equal(200, status);
        Assert.Equal(("list", "tiny"), (body.GetProperty("object").GetString(), body.GetProperty("model").GetString()));
        var entry = Assert.Single(body.GetProperty("data").EnumerateArray());
        Assert.Equal(("embedding", 0), (entry.GetProperty("object").GetString(), entry.GetProperty("index").GetInt32()));
        Assert.Equal([0.6f, 0.8f, 0], entry.GetProperty("embedding").EnumerateArray().Select(value => value.GetSingle()));
        Assert.Equal((3, 3), (body.GetProperty("usage").GetProperty("prompt_tokens").GetInt32(), body.GetProperty("usage").GetProperty("total_tokens").GetInt32()));
        var prompt = Assert.Single(backend.Prompts);
        Assert.Equal(("Hi", SequenceOutput.Mean, "tiny"), (prompt.Input.Text, prompt.Output, prompt.Model));
    }

    [Fact]
    public async Task Base64_holds_the_same_numbers()
    {
        await using var server = await TestServer.StartAsync();
        var (_, body) = await server.PostAsync(Path, """{"input":"Hi","encoding_format":"base64"}""");

        var bytes = body.GetProperty("data")[0].GetProperty("embedding").GetBytesFromBase64();
        Assert.Equal([0.6f, 0.8f, 0], Enumerable.Range(0, bytes.Length / 4).Select(i => BitConverter.ToSingle(bytes, 4 * i)));
    }

    [Theory]
    [InlineData("""["a","bcd","ef"]""", "1 3 2")]
    [InlineData("[7,8,9,10]", "4")]
    [InlineData("[[7,8],[9]]", "2 1")]
    [InlineData("""["a",[9,9]]""", "1 2")]
    public async Task Every_form_of_input_is_answered_in_its_order(string input, string lengths)
    {
        var backend = new ScriptedBackend();
        await using var server = await TestServer.StartAsync(backend);
        var (status, body) = await server.PostAsync(Path, $$"""{"input":{{input}}}""");

        Assert.Equal(200, status);
        Assert.Equal(Enumerable.Range(0, lengths.Split(' ').Length), body.GetProperty("data").EnumerateArray().Select(entry => entry.GetProperty("index").GetInt32()));
        Assert.Equal(3 * lengths.Split(' ').Length, body.GetProperty("usage").GetProperty("total_tokens").GetInt32());
        Assert.Equal(
            lengths.Split(' ').Order(StringComparer.Ordinal),
            backend.Prompts.Select(prompt => $"{prompt.Input.Text?.Length ?? prompt.Input.Tokens!.Value.Length}").Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("{}", "input")]
    [InlineData("""{"input":""}""", "input")]
    [InlineData("""{"input":[]}""", "input")]
    [InlineData("""{"input":["a",""]}""", "input")]
    [InlineData("""{"input":[[]]}""", "input")]
    [InlineData("""{"input":[1,"a"]}""", "input")]
    [InlineData("""{"input":[1,-2]}""", "input")]
    [InlineData("""{"input":[1.5]}""", "input")]
    [InlineData("""{"input":{"a":1}}""", "input")]
    [InlineData("""{"input":[{"a":1}]}""", "input")]
    [InlineData("""{"input":"a","encoding_format":"hex"}""", "encoding_format")]
    [InlineData("""{"input":"a","dimensions":8}""", "dimensions")]
    [InlineData("""{"input":"a","model":""}""", "model")]
    [InlineData("""{"input":"a","colour":1}""", "colour")]
    public async Task What_makes_no_sense_or_cannot_be_honoured_is_refused_by_its_name(string json, string param)
    {
        var backend = new ScriptedBackend();
        await using var server = await TestServer.StartAsync(backend);
        var (status, body) = await server.PostAsync(Path, json);

        Assert.Equal(400, status);
        Assert.Equal(("invalid_request_error", param), (body.GetProperty("error").GetProperty("type").GetString(), body.GetProperty("error").GetProperty("param").GetString()));
        Assert.Empty(backend.Prompts);
    }

    [Fact]
    public async Task Too_many_inputs_are_refused_and_as_many_as_allowed_are_not()
    {
        await using var server = await TestServer.StartAsync();
        var (tooMany, _) = await server.PostAsync(Path, JsonSerializer.Serialize(new { input = Enumerable.Repeat("a", 2049) }));
        var (allowed, body) = await server.PostAsync(Path, JsonSerializer.Serialize(new { input = Enumerable.Repeat("a", 2048) }));

        Assert.Equal((400, 200), (tooMany, allowed));
        Assert.Equal(2048, body.GetProperty("data").GetArrayLength());
    }

    [Fact]
    public async Task More_characters_than_a_prompt_may_have_are_refused()
    {
        await using var server = await TestServer.StartAsync();
        var half = new string('a', (ProtocolLimits.PromptCharacters / 2) + 1);

        Assert.Equal(400, (await server.PostAsync(Path, JsonSerializer.Serialize(new { input = new[] { half, half } }))).Status);
    }

    [Theory]
    [InlineData(GenerationError.Invalid, 400, "input", null)]
    [InlineData(GenerationError.TooLong, 400, "input", "context_length_exceeded")]
    [InlineData(GenerationError.UnknownModel, 404, "model", "model_not_found")]
    [InlineData(GenerationError.Overloaded, 429, null, "overloaded")]
    [InlineData(GenerationError.NoRoute, 503, null, "no_route")]
    public async Task What_the_gateway_refuses_keeps_openais_shape(GenerationError error, int expected, string? param, string? code)
    {
        await using var server = await TestServer.StartAsync(new ScriptedBackend { Failure = (error, "no") });
        var (status, body) = await server.PostAsync(Path, """{"input":["a","b"]}""");

        Assert.Equal(expected, status);
        Assert.Contains("no", body.GetProperty("error").GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal((param, code), (body.GetProperty("error").GetProperty("param").GetString(), body.GetProperty("error").GetProperty("code").GetString()));
    }
}
