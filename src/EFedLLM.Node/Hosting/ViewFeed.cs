using Akka.Actor;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Node.Hosting;

/// <summary>The latest view of the cluster, for code outside actors.</summary>
internal sealed class ViewFeed
{
    private volatile Change _latest;

    /// <summary>Begins with nothing seen.</summary>
    /// <param name="self">The address of this node.</param>
    public ViewFeed(Address self) => _latest = new Change(ClusterView.Empty(self));

    /// <summary>The cluster as this node sees it.</summary>
    public ClusterView Latest => _latest.View;

    /// <summary>Follows a node's view from now on. A node that joins again has another; whoever waits does not notice.</summary>
    /// <param name="system">The node.</param>
    /// <param name="self">Its address.</param>
    /// <param name="view">Its view actor.</param>
    public void Follow(ActorSystem system, Address self, IActorRef view)
    {
        Publish(ClusterView.Empty(self));
        view.Tell(new SubscribeView(system.ActorOf(Props.Create(() => new Listener(this)), "view-feed")));
    }

    /// <summary>Takes a newer view.</summary>
    public void Publish(ClusterView view)
    {
        var before = _latest;
        _latest = new Change(view);
        before.Next.TrySetResult();
    }

    /// <summary>The first view, from now on, that fits. Views that come quickly after one another may be skipped.</summary>
    public async Task<ClusterView> WaitAsync(Func<ClusterView, bool> fits, CancellationToken cancellation)
    {
        while (true)
        {
            var now = _latest;
            if (fits(now.View))
            {
                return now.View;
            }

            await now.Next.Task.WaitAsync(cancellation);
        }
    }

    private sealed class Change(ClusterView view)
    {
        public ClusterView View { get; } = view;

        public TaskCompletionSource Next { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    private sealed class Listener : ReceiveActor
    {
        public Listener(ViewFeed feed) => Receive<ClusterView>(feed.Publish);
    }
}
