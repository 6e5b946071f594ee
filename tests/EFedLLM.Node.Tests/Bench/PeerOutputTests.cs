using EFedLLM.Node.Bench;
using EFedLLM.Node.CommandLine;

namespace EFedLLM.Node.Tests.Bench;

public sealed class PeerOutputTests
{
    private const string Prefill = """{"n_prompt": 8, "n_gen": 0, "n_threads": 2, "avg_ts": 100.5}""";
    private const string Decode = """{"n_prompt": 0, "n_gen": 4, "n_threads": 2, "avg_ts": 1, "samples_ts": [30, 10, 20], "model_type": "llama 1B Q8_0", "model_size": 1000, "build_commit": "abc", "backends": "CPU"}""";

    private static readonly BenchSettings Settings = new() { PromptTokens = 8, DecodeTokens = 4 };

    [Theory]
    [InlineData($"[{Prefill}, {Decode}]")]
    [InlineData($"  [\n{Decode},\n{Prefill}\n]\n")]
    [InlineData($"{Prefill}\n{Decode}\n")]
    public void Arrays_and_lines_are_read_in_any_order(string text) =>
        Assert.Equal(new PeerResult(100.5, 20, "llama 1B Q8_0", 1000, "abc, CPU"), PeerOutput.Parse(text, "peer", 2, Settings));

    [Fact]
    public void A_peer_that_says_nothing_of_itself_is_read_all_the_same() =>
        Assert.Equal(new PeerResult(1, 2, null, null, null), PeerOutput.Parse(Tests(1, 2), "peer", 2, Settings));

    [Theory]
    [InlineData("", "no measurement")]
    [InlineData("[]", "no measurement")]
    [InlineData("usage: peer [options]", "not llama-bench's JSON: usage: peer [options]")]
    [InlineData("\u001b[2Jx", "not llama-bench's JSON: [2Jx")]
    [InlineData($"[{Prefill}", "not llama-bench's JSON")]
    [InlineData($"[{Prefill}, 7]", "not llama-bench's JSON")]
    [InlineData($"[{Prefill}]", "no measurement with n_prompt 0 and n_gen 4")]
    [InlineData($"[{Decode}]", "no measurement with n_prompt 8 and n_gen 0")]
    [InlineData("""[{"n_prompt": 8, "n_gen": 0, "n_depth": 512, "avg_ts": 1}]""", "no measurement with n_prompt 8")]
    [InlineData("""[{"n_prompt": 8, "n_gen": 0, "n_threads": 1, "avg_ts": 1}]""", "n_threads 1, but 2 were asked for")]
    [InlineData("""[{"n_prompt": 8, "n_gen": 0}, {"n_prompt": 0, "n_gen": 4, "avg_ts": 1}]""", "no number of tokens per second")]
    [InlineData("""[{"n_prompt": 8, "n_gen": 0, "avg_ts": "fast"}, {"n_prompt": 0, "n_gen": 4, "avg_ts": 1}]""", "not llama-bench's JSON")]
    [InlineData("""[{"n_prompt": 8, "n_gen": 0, "samples_ts": 1}, {"n_prompt": 0, "n_gen": 4, "avg_ts": 1}]""", "not llama-bench's JSON")]
    public void What_is_no_measurement_is_refused_with_a_reason(string text, string reason) =>
        Assert.Contains(reason, Assert.Throws<UserErrorException>(() => PeerOutput.Parse(text, "peer", 2, Settings)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("1e10")]
    [InlineData("1e999")]
    public void A_rate_that_cannot_be_true_is_refused(string rate) =>
        Assert.Throws<UserErrorException>(() => PeerOutput.Parse($$"""[{"n_prompt": 8, "n_gen": 0, "avg_ts": {{rate}}}, {"n_prompt": 0, "n_gen": 4, "avg_ts": 1}]""", "peer", 2, Settings));

    [Fact]
    public void Long_names_are_cut_and_lines_are_joined()
    {
        var text = $$"""[{"n_prompt": 8, "n_gen": 0, "avg_ts": 1}, {"n_prompt": 0, "n_gen": 4, "avg_ts": 1, "model_type": "a\nb{{new string('c', 1000)}}"}]""";
        var model = PeerOutput.Parse(text, "peer", 2, Settings).Model!;
        Assert.StartsWith("a bcc", model, StringComparison.Ordinal);
        Assert.InRange(model.Length, 10, 70);
    }

    private static string Tests(double prefill, double decode) => FormattableString.Invariant($$"""[{"n_prompt": 8, "n_gen": 0, "avg_ts": {{prefill}}}, {"n_prompt": 0, "n_gen": 4, "avg_ts": {{decode}}}]""");
}
