using System.Collections.Immutable;
using System.Threading.Channels;
using Akka;
using Akka.Actor;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Reputation;
using EFedLLM.Actors.Tests.Configuration;

namespace EFedLLM.Actors.Tests.Reputation;

/// <summary>
/// A reporter with its outbox on disk, and a wire to the ledger that loses what a test wants lost. It can be killed at any moment: what it
/// sends from then on goes nowhere, and the next one has the files as they were at that moment, with nothing flushed or closed.
/// </summary>
/// <param name="system">Whose actors it has.</param>
/// <param name="root">The folder of its files, which are left there.</param>
internal sealed class KilledGateway(ActorSystem system, string root) : IAsyncDisposable
{
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan LastRetry = TimeSpan.FromMilliseconds(40);

    private readonly List<OutboxFile> _files = [];
    private readonly List<IActorRef> _reporters = [];
    private readonly Channel<object> _seen = Channel.CreateUnbounded<object>();
    private volatile IActorRef _ledger = ActorRefs.Nobody;
    private volatile Func<object, bool> _isLost = _ => true;
    private IActorRef? _reporter;
    private IActorRef? _wire;

    /// <summary>The outbox of the one that runs.</summary>
    public string Outbox => Path.Combine(root, $"outbox-{_files.Count}.db");

    /// <summary>Where the wire leads.</summary>
    /// <param name="ledger">To whom.</param>
    /// <param name="isLost">Whether a report, or an answer to one, is lost. Asked by one thread at a time.</param>
    public void Connect(IActorRef ledger, Func<object, bool> isLost) => (_ledger, _isLost) = (ledger, isLost);

    /// <summary>Starts one on what the last one left.</summary>
    /// <returns>Reports that wait.</returns>
    public int Start()
    {
        var limits = new OutboxLimits(1000, 1 << 20);
        var file = OutboxFile.Open(Outbox, limits);
        var wire = _wire = system.ActorOf(Props.Create(() => new Wire(this)));
        _reporter = system.ActorOf(Props.Create(() => new WorkReporter(wire, file, limits, TimeProvider.System, FirstRetry, LastRetry, LedgerSamples.Key, LedgerSamples.Cluster, null, null)));
        _files.Add(file);
        _reporters.Add(_reporter);
        return file.Waiting.Length;
    }

    /// <summary>Hands reports over as one; complete when they are on disk.</summary>
    public Task ReportAsync(params ImmutableArray<WorkReport> reports) => _reporter.Ask<WorkReportsKept>(new WorkReports(reports), TestNode.Patience);

    /// <summary>Complete when the ledger has everything.</summary>
    public Task<bool> FlushAsync() => _reporter!.FlushReportsAsync(TestNode.Patience);

    /// <summary>Complete when it has done what can be done at once with what it was handed.</summary>
    public Task LookedAsync() => _reporter.Ask<ActorIdentity>(new Identify(1), TestNode.Patience);

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        await _wire.Ask<Done>(Cut.Instance, TestNode.Patience);
        Copy(Path.Combine(root, $"outbox-{_files.Count - 1}.db"), Outbox);
    }

    /// <summary>Waits for a report that goes over the wire or an answer that comes back, lost or not.</summary>
    public async Task<T> SeenAsync<T>()
    {
        using var patience = new CancellationTokenSource(TestNode.Patience);
        while (true)
        {
            if (await _seen.Reader.ReadAsync(patience.Token) is T seen)
            {
                return seen;
            }
        }
    }

    /// <summary>A database as it is at this moment.</summary>
    public static void Copy(string from, string to)
    {
        foreach (var suffix in new[] { "", "-wal" }.Where(suffix => File.Exists($"{from}{suffix}")))
        {
            using var source = new FileStream($"{from}{suffix}", FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var target = File.Create($"{to}{suffix}");
            source.CopyTo(target);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_reporters.Select(reporter => reporter.GracefulStop(TestNode.Patience)));
        foreach (var file in _files)
        {
            await file.CloseAsync();
        }
    }

    private sealed record Cut
    {
        public static Cut Instance { get; } = new();
    }

    private sealed class Wire : ReceiveActor
    {
        private IActorRef _reporter = ActorRefs.Nobody;
        private bool _isCut;

        public Wire(KilledGateway gateway)
        {
            Receive<RecordWork>(_ => !_isCut, report =>
            {
                _reporter = Sender;
                if (!gateway._isLost(report))
                {
                    gateway._ledger.Tell(report);
                }

                gateway._seen.Writer.TryWrite(report);
            });
            Receive<WorkRecorded>(_ => !_isCut, answer =>
            {
                if (!gateway._isLost(answer))
                {
                    _reporter.Tell(answer);
                }

                gateway._seen.Writer.TryWrite(answer);
            });
            Receive<Cut>(_ =>
            {
                _isCut = true;
                Sender.Tell(Done.Instance);
            });
            ReceiveAny(_ => { });
        }
    }
}
