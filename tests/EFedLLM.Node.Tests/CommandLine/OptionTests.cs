using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Models;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Node.Tests.CommandLine;

public class OptionTests
{
    [Theory]
    [InlineData("prompt")]
    [InlineData("prompt", "Hi", "--tokens", "1")]
    [InlineData("prompt", "--tokens", "1,x")]
    [InlineData("prompt", "--tokens", "1,-2")]
    [InlineData("prompt", "Hi", "--raw", "--system", "x")]
    [InlineData("prompt", "Hi", "--local", "--gateway", "http://127.0.0.1:1")]
    [InlineData("prompt", "Hi", "--threads", "2")]
    [InlineData("prompt", "Hi", "--weights", "float32")]
    [InlineData("prompt", "Hi", "--model", ".")]
    [InlineData("prompt", "Hi", "--local", "--weights", "float16")]
    [InlineData("prompt", "Hi", "--temperature", "3")]
    [InlineData("prompt", "Hi", "--max-tokens", "0")]
    [InlineData("prompt", "Hi", "--top-logprobs", "21")]
    [InlineData("prompt", "Hi", "--chat-template", "klingon")]
    [InlineData("compress", "x", "-o", "y", "--profile", "magic")]
    [InlineData("compress", ".", "-o", "y", "--keep", "0.5")]
    [InlineData("compress", ".", "-o", "y", "--profile", "svd", "--keep", "0")]
    [InlineData("compress", ".", "-o", "y", "--group", "48")]
    [InlineData("compress", ".")]
    [InlineData("compress", ".", "-o", "y", "--target-bits", "5", "--max-loss", "2%")]
    [InlineData("compress", ".", "-o", "y", "--target-bits", "17")]
    [InlineData("compress", ".", "-o", "y", "--max-loss", "200%")]
    [InlineData("compress", ".", "-o", "y", "--target-size", "much")]
    [InlineData("compress", ".", "-o", "y", "--profile", "int8", "--target-bits", "5")]
    [InlineData("compress", ".", "-o", "y", "--profile", "svd", "--no-low-rank")]
    [InlineData("compress", ".", "--dry-run", "--max-loss", "2%")]
    [InlineData("bench", "--shape", "9000b")]
    [InlineData("bench", "--shape", "1b", "--model", ".")]
    [InlineData("bench", "--shape", "1b", "--bits", "7")]
    [InlineData("bench", "--model", ".", "--bits", "4")]
    [InlineData("bench", "--devices", "-1")]
    [InlineData("bench", "--trust", "--threads", "2")]
    [InlineData("bench", "--vs", "sh")]
    [InlineData("bench", "--vs", "sh", "--model", ".")]
    [InlineData("bench", "--vs", "sh", "--vs-model", ".", "--trust")]
    [InlineData("bench", "--vs", "sh", "--vs-model", ".", "--explain")]
    [InlineData("bench", "--vs", "sh", "--vs-model", ".", "--devices", "2")]
    [InlineData("bench", "--vs", "sh", "--vs-model", ".", "--vs-limit", "soon")]
    [InlineData("bench", "--vs", "sh", "--vs-model", ".", "--threads", "0")]
    [InlineData("bench", "--vs-model", ".")]
    [InlineData("bench", "--vs-limit", "1m")]
    [InlineData("bench", "--explain", "--format", "csv")]
    [InlineData("bench", "--explain", "--devices", "2")]
    [InlineData("bench", "--explain", "--sessions", "8")]
    [InlineData("bench", "--sessions", "0")]
    [InlineData("bench", "--hop-delay", "50")]
    [InlineData("bench", "--speculate", "--repetitions", "0")]
    [InlineData("bench", "--speculate", "--decode-tokens", "0")]
    [InlineData("bench", "--speculate", "--devices", "0")]
    [InlineData("bench", "--speculate", "--devices", "65")]
    [InlineData("bench", "--speculate", "--prompt-tokens", "64")]
    [InlineData("bench", "--speculate", "--threads", "2")]
    [InlineData("bench", "--speculate", "--trust")]
    [InlineData("bench", "--speculate", "--sessions", "2")]
    [InlineData("bench", "--speculate", "--memory", "256MB")]
    [InlineData("prompt", "Hi", "--drafts", "16")]
    [InlineData("prompt", "Hi", "--drafts", "-1")]
    [InlineData("up", "--devices", "0")]
    [InlineData("up", "--saboteur", "sign-flip")]
    [InlineData("up", "--saboteur", "0=sign-flip")]
    [InlineData("up", "--saboteur", "4=sign-flip")]
    [InlineData("up", "--saboteur", "2=sing-flip")]
    [InlineData("up", "--saboteur", "2=sign-flip:2")]
    [InlineData("up", "--saboteur", "2=sign-flip", "--saboteur", "2=noise")]
    [InlineData("up", "--memory", "lots")]
    [InlineData("up", "--network", "moon")]
    [InlineData("join", "--cert", "there", "AQ")]
    [InlineData("cluster", "plan", "--with", "lots")]
    [InlineData("cluster", "plan", "--with", "speed=4GB")]
    [InlineData("cluster", "plan", "--with", "memory=4GB,memory=8GB")]
    [InlineData("cluster", "plan", "--with", "memory=4GB,colour=red")]
    [InlineData("cluster", "simulate", "--devices", "0")]
    [InlineData("cluster", "simulate", "--devices", "10,many")]
    [InlineData("cluster", "simulate", "--churn", "0")]
    [InlineData("cluster", "simulate", "--hours", "-1")]
    [InlineData("join", "--seed", "nonsense")]
    [InlineData("eval", ".", "--text", "x", "--chunk", "0")]
    [InlineData("eval", ".")]
    [InlineData("eval", "--text", "x")]
    [InlineData("eval", ".", "--text", "x", "--gate", "max-loss=1")]
    [InlineData("eval", ".", "--text", "x", "--format", "pdf")]
    public async Task A_command_line_without_sense_is_refused_as_such(params string[] arguments) =>
        Assert.Equal(ExitCodes.Usage, await EfedllmCommand.RunAsync(arguments));

    [Theory]
    [InlineData("prompt", "Hi", "--local", "--model", "/there/is/none")]
    [InlineData("tokenize", "--model", "/there/is/none", "--text", "x")]
    [InlineData("compress", "/there/is/none", "-o", "y")]
    [InlineData("bench", "--vs", "/there/is/none", "--vs-model", "/there/is/none")]
    [InlineData("eval", "/there/is/none", "--text", "/there/is/none")]
    [InlineData("eval", "/there/is/none", "/there/is/none/either", "--text", "/there/is/none")]
    [InlineData("prompt", "Hi", "--gateway", "http://127.0.0.1:9", "--top-p", "0.5")]
    public async Task What_is_not_there_is_told_from_what_makes_no_sense(params string[] arguments) =>
        Assert.Contains(await EfedllmCommand.RunAsync(arguments), new[] { ExitCodes.Failed, ExitCodes.NotReachable });

    [Fact]
    public void A_share_is_read_as_people_write_it() => Assert.Equal([0.02, 0.02, 0.005], new[] { "2%", "0.02", " 0.5% " }.Select(text => CompressCommand.Share(text, "--max-loss")));

    [Fact]
    public void Token_ids_are_read_as_people_and_json_write_them() => Assert.Equal([1, 22, 333], PromptInputOptions.ParseTokens("[1, 22,333]"));

    [SharedTheory]
    [InlineData("efed-mini", 0)]
    [InlineData("stories260K", 1)]
    [InlineData("stories3M", 1)]
    [InlineData("babyllama-105", 1)]
    public void The_start_token_is_the_one_that_the_references_begin_with(string name, int expected)
    {
        var folder = SharedModels.Model(name);
        using var model = Checkpoint.Open(folder);
        Assert.Equal(expected, StartToken.Of(model.Shape, ModelTokenizer.Load(folder), folder));
    }
}
