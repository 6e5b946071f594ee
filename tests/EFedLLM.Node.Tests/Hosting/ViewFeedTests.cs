using Akka.Actor;
using EFedLLM.Actors.Protocol;
using EFedLLM.Node.Hosting;

namespace EFedLLM.Node.Tests.Hosting;

public class ViewFeedTests
{
    private static readonly Address Self = new("akka.tcp", "efedllm", "127.0.0.1", 1);

    [Fact]
    public async Task Whoever_waits_gets_the_first_view_that_fits()
    {
        var feed = new ViewFeed(Self);
        var waiting = feed.WaitAsync(view => view.Leader is not null, CancellationToken.None);
        feed.Publish(ClusterView.Empty(Self));
        Assert.False(waiting.IsCompleted);
        feed.Publish(ClusterView.Empty(Self) with { Leader = Self });
        Assert.Equal(Self, (await waiting.WaitAsync(TimeSpan.FromSeconds(20))).Leader);
        Assert.Equal(Self, feed.Latest.Leader);
    }

    [Fact]
    public async Task A_view_that_fits_already_is_not_waited_for() =>
        Assert.Equal(Self, (await new ViewFeed(Self).WaitAsync(_ => true, CancellationToken.None)).Self);

    [Fact]
    public async Task Waiting_ends_when_it_is_cancelled() =>
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => new ViewFeed(Self).WaitAsync(_ => false, new CancellationToken(canceled: true)));
}
