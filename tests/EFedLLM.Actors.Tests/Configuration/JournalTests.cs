using Akka.Actor;
using Akka.Persistence;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Tests.Configuration;

public sealed class JournalTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("efedllm-journal-").FullName;

    public void Dispose()
    {
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task An_event_and_a_snapshot_on_a_ledger_node_are_there_after_a_restart()
    {
        var work = new WorkRecorded(new ReportId(Guid.NewGuid(), 1), new DeviceId(new string('a', 32)));
        await using (var node = TestNode.Start(null, null, _folder, ClusterNames.Anchor, ClusterNames.Ledger))
        {
            var keeper = node.System.ActorOf(Props.Create(() => new Keeper()));
            Assert.Equal("saved", await keeper.Ask<string>(work, TestNode.Patience));
            Assert.Equal("saved", await keeper.Ask<string>("snapshot", TestNode.Patience));
            Assert.Equal("saved", await keeper.Ask<string>(work with { Id = new ReportId(work.Id.Reporter, 2) }, TestNode.Patience));
        }

        await using (var node = TestNode.Start(null, null, _folder, ClusterNames.Anchor, ClusterNames.Ledger))
        {
            var keeper = node.System.ActorOf(Props.Create(() => new Keeper()));
            var known = await keeper.Ask<WorkRecorded[]>("known", TestNode.Patience);
            Assert.Equal([work, work with { Id = new ReportId(work.Id.Reporter, 2) }], known);
        }

        Assert.True(File.Exists(Path.Combine(_folder, "ledger.db")));
    }

    private sealed class Keeper : ReceivePersistentActor
    {
        private readonly List<WorkRecorded> _known = [];

        public Keeper()
        {
            Recover<WorkRecorded>(_known.Add);
            Recover<SnapshotOffer>(offer => _known.Add((WorkRecorded)offer.Snapshot));
            Command<WorkRecorded>(work =>
            {
                var sender = Sender;
                Persist(work, saved =>
                {
                    _known.Add(saved);
                    sender.Tell("saved");
                });
            });
            IActorRef? waiting = null;
            Command<string>(text => text == "snapshot", _ =>
            {
                waiting = Sender;
                SaveSnapshot(_known[0]);
            });
            Command<SaveSnapshotSuccess>(_ => waiting.Tell("saved"));
            Command<string>(_ => Sender.Tell(_known.ToArray()));
        }

        public override string PersistenceId => "keeper";
    }
}
