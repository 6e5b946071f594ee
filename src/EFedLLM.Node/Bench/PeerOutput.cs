using System.Text.Json;
using EFedLLM.Node.CommandLine;

namespace EFedLLM.Node.Bench;

/// <summary>Reads what llama-bench prints with <c>-o json</c> (an array of tests) or <c>-o jsonl</c> (a test a line). Pure.</summary>
internal static class PeerOutput
{
    // Nothing computes so many tokens in a second; and nobody reads so long a name.
    private const double MostRate = 1e9;
    private const int MostText = 60;

    /// <summary>The rates of the tests that were asked for.</summary>
    /// <param name="text">All that the peer printed to standard output.</param>
    /// <param name="peer">The peer's name, for messages.</param>
    /// <param name="threads">Threads that were asked for.</param>
    /// <param name="settings">Tokens that were asked for.</param>
    /// <exception cref="UserErrorException">It is no such output, or does not hold what was asked for; the message says what is wrong.</exception>
    public static PeerResult Parse(string text, string peer, int threads, BenchSettings settings)
    {
        try
        {
            var tests = Tests(text);
            if (tests.Count == 0)
            {
                throw new UserErrorException($"{peer} printed no measurement: it has to understand llama-bench's command line and answer -o json.");
            }

            var prefill = Find(tests, peer, threads, settings.PromptTokens, 0);
            var decode = Find(tests, peer, threads, 0, settings.DecodeTokens);
            return new PeerResult(
                Rate(prefill, peer),
                Rate(decode, peer),
                Text(decode, "model_type"),
                decode.TryGetProperty("model_size", out var size) && size.ValueKind == JsonValueKind.Number && size.TryGetInt64(out var bytes) && bytes > 0 ? bytes : null,
                string.Join(", ", new[] { Text(decode, "build_commit"), Text(decode, "cpu_backend") ?? Text(decode, "backends"), Text(decode, "cpu_features") }.OfType<string>()) is { Length: > 0 } build ? build : null);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw new UserErrorException($"{peer} printed something that is not llama-bench's JSON: {Excerpt(text)}", inner: error);
        }
    }

    private static List<JsonElement> Tests(string text)
    {
        if (text.AsSpan().TrimStart().StartsWith("["))
        {
            using var document = JsonDocument.Parse(text);
            return [.. document.RootElement.EnumerateArray().Select(test => test.Clone())];
        }

        return [.. text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(line =>
        {
            using var document = JsonDocument.Parse(line);
            return document.RootElement.Clone();
        })];
    }

    private static JsonElement Find(List<JsonElement> tests, string peer, int threads, int prompt, int generated)
    {
        foreach (var test in tests.Where(test => Number(test, "n_prompt") == prompt && Number(test, "n_gen") == generated && Number(test, "n_depth") is null or 0))
        {
            return Number(test, "n_threads") is { } used && used != threads
                ? throw new UserErrorException($"{peer} measured with n_threads {used}, but {threads} were asked for.")
                : test;
        }

        throw new UserErrorException($"{peer} printed no measurement with n_prompt {prompt} and n_gen {generated}.");
    }

    /// <summary>The median of the repetitions, or the mean where these are not listed.</summary>
    private static double Rate(JsonElement test, string peer)
    {
        var rate = test.TryGetProperty("samples_ts", out var samples) && samples.GetArrayLength() > 0
            ? Statistics.Quantile([.. samples.EnumerateArray().Select(sample => sample.GetDouble())], 0.5)
            : test.TryGetProperty("avg_ts", out var average) ? average.GetDouble() : double.NaN;
        return rate is > 0 and < MostRate
            ? rate
            : throw new UserErrorException($"{peer} printed no number of tokens per second (avg_ts, samples_ts) that could be true.");
    }

    private static long? Number(JsonElement test, string name) =>
        test.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number) ? number : null;

    private static string? Text(JsonElement test, string name) =>
        test.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String && Excerpt(value.GetString()!) is { Length: > 0 } text ? text : null;

    /// <summary>The beginning of a foreign text on one line, without what would move a terminal's cursor.</summary>
    private static string Excerpt(string text)
    {
        var line = PeerProgram.OneLine(text);
        return line.Length <= MostText ? line : $"{line[..MostText]}...";
    }
}
