using System.Diagnostics;
using EFedLLM.Node.Bench;
using EFedLLM.Node.CommandLine;

namespace EFedLLM.Node.Tests.Bench;

public sealed class PeerProgramTests
{
    [PeerFact]
    public async Task A_peer_is_started_as_llama_bench_is_and_its_rates_are_read()
    {
        using var peer = new FakePeer($"""
            echo "$@" > "$2.arguments"
            {FakePeer.Answer}
            """);
        var result = await peer.Start().MeasureAsync(1, FakePeer.Settings, CancellationToken.None);
        Assert.Equal((100, 50), (result.Prefill, result.Decode));
        Assert.Equal($"-m {peer.Model} -t 1 -p 8 -n 4 -r 1 -ngl 0 -o json\n", await File.ReadAllTextAsync($"{peer.Model}.arguments"));
    }

    [Fact]
    public void A_program_or_a_model_that_is_not_there_is_named()
    {
        using var peer = new FakePeer("");
        Assert.Contains("no program \"/there/is/none\"", Refused(() => new PeerProgram("/there/is/none", peer.Model, TimeSpan.FromMinutes(1))), StringComparison.Ordinal);
        Assert.Contains("no file \"/there/is/none\" for fake-llama-bench", Refused(() => new PeerProgram(FakePeer.Program, "/there/is/none", TimeSpan.FromMinutes(1))), StringComparison.Ordinal);
    }

    [PeerFact]
    public async Task A_file_that_is_no_program_cannot_be_started()
    {
        using var peer = new FakePeer("");
        Assert.Contains("cannot be started", await FailureAsync(new PeerProgram(peer.Model, peer.Model, TimeSpan.FromMinutes(1))), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_that_is_not_on_the_search_path_cannot_be_started()
    {
        using var peer = new FakePeer("");
        Assert.Contains("cannot be started", await FailureAsync(new PeerProgram("no-such-llama-bench", peer.Model, TimeSpan.FromMinutes(1))), StringComparison.Ordinal);
    }

    [PeerFact]
    public async Task A_peer_that_fails_is_quoted_with_its_last_words()
    {
        using var peer = new FakePeer("""
            yes nonsense | head -n 100000 >&2
            printf 'error: \033[31mmodel is broken\n' >&2
            exit 3
            """);
        var failure = await FailureAsync(peer.Start());
        Assert.StartsWith("fake-llama-bench ended with exit code 3. It said: ", failure, StringComparison.Ordinal);
        Assert.EndsWith("error: [31mmodel is broken", failure, StringComparison.Ordinal);
        Assert.InRange(failure.Length, 100, 600);
    }

    [PeerFact]
    public async Task A_peer_that_says_nothing_is_told_as_such()
    {
        using var broken = new FakePeer("exit 1");
        Assert.Equal("fake-llama-bench ended with exit code 1. It said nothing.", await FailureAsync(broken.Start()));
        using var silent = new FakePeer("");
        Assert.Contains("printed no measurement", await FailureAsync(silent.Start()), StringComparison.Ordinal);
    }

    [PeerFact]
    public async Task A_peer_that_prints_without_end_is_ended()
    {
        using var peer = new FakePeer("yes");
        Assert.Contains("printed more than 1.0 MB", await FailureAsync(peer.Start()), StringComparison.Ordinal);
    }

    [PeerFact]
    public async Task A_peer_that_hangs_is_ended_after_the_limit()
    {
        using var peer = new FakePeer("""
            mkfifo "$2.never"
            cat "$2.never"
            """);
        Assert.Contains("was not done within 300 ms and was ended", await FailureAsync(peer.Start(TimeSpan.FromMilliseconds(300))), StringComparison.Ordinal);
    }

    [PeerFact]
    public async Task A_cancelled_measurement_ends_the_peer()
    {
        using var peer = new FakePeer("""
            mkfifo "$2.never"
            echo $$ > "$2.begun"
            cat "$2.never"
            """);

        // The peer waits here until the test reads its process id, so that it is there when it is cancelled.
        using (var mkfifo = Process.Start("mkfifo", $"{peer.Model}.begun"))
        {
            await mkfifo.WaitForExitAsync();
        }

        using var source = new CancellationTokenSource();
        var run = peer.Start().MeasureAsync(1, FakePeer.Settings, source.Token);
        var process = int.Parse(await File.ReadAllTextAsync($"{peer.Model}.begun"));
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
        Assert.Throws<ArgumentException>(() => Process.GetProcessById(process));
    }

    private static string Refused(Func<PeerProgram> make) => Assert.Throws<UserErrorException>(make).Message;

    private static async Task<string> FailureAsync(PeerProgram program) =>
        (await Assert.ThrowsAsync<UserErrorException>(() => program.MeasureAsync(1, FakePeer.Settings, CancellationToken.None))).Message;
}
