using System.Buffers.Binary;
using System.Security.Cryptography;
using Akka.Actor;
using Akka.DistributedData;
using Akka.Event;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Actors.Reputation;

/// <summary>
/// Has a device that was taken for broken compute golden vectors of a seed that nobody knew before, and compares them with what this node
/// computes itself. One device at a time.
/// </summary>
internal sealed class DeviceExaminer : ReceiveActor, IWithTimers
{
    // A small device takes seconds.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private Dictionary<DeviceId, IActorRef> _hosts = [];
    private Exam? _exam;

    /// <summary>Knows no device yet.</summary>
    public DeviceExaminer()
    {
        Receive<Changed>(change => _hosts = change.Get(FactKeys.Devices)
            .Where(entry => entry.Key == entry.Value.Device.Value)
            .ToDictionary(entry => entry.Value.Device, entry => entry.Value.Host));
        Receive<ExamineDevice>(message => Begin(message.Device, Sender));
        Receive<GoldenComputed>(message =>
        {
            if (_exam is { Found: null } exam && exam.Host.Equals(Sender) && (message.Device, message.Seed) == (exam.Device, exam.Seed))
            {
                Go(exam with { Found = message.Root });
            }
        });
        Receive<Expected>(message =>
        {
            if (_exam is { } exam && exam.Seed == message.Seed)
            {
                Go(exam with { Right = message.Root });
            }
        });
        Receive<NotExpected>(message =>
        {
            _log.Error(message.Error, "The golden vectors cannot be computed here.");
            End(null);
        });
        Receive<TimeOut>(_ => End(null));
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    /// <inheritdoc/>
    protected override void PreStart() => DistributedData.Get(Context.System).Replicator.Tell(Dsl.Subscribe(FactKeys.Devices, Self));

    private static Digest Compute(ulong seed)
    {
        using var team = new ComputeTeam(1);
        return GoldenVectors.Compute(seed, team);
    }

    private void Begin(DeviceId device, IActorRef asker)
    {
        if (_exam is not null || !_hosts.TryGetValue(device, out var host))
        {
            asker.Tell(new DeviceExamined(device, null));
            return;
        }

        var seed = BinaryPrimitives.ReadUInt64LittleEndian(RandomNumberGenerator.GetBytes(sizeof(ulong)));
        _exam = new Exam(device, seed, host, asker, null, null);
        host.Tell(new ComputeGolden(device, seed));
        Task.Run(() => Compute(seed)).PipeTo(Self, success: root => new Expected(seed, root), failure: error => new NotExpected(error));
        Timers.StartSingleTimer(nameof(TimeOut), TimeOut.Instance, Patience);
    }

    private void Go(Exam exam)
    {
        _exam = exam;
        if (exam is { Found: { } found, Right: { } right })
        {
            End(found == right);
        }
    }

    private void End(bool? isSound)
    {
        if (_exam is { } exam)
        {
            Timers.Cancel(nameof(TimeOut));
            _exam = null;
            exam.Asker.Tell(new DeviceExamined(exam.Device, isSound));
        }
    }

    private sealed record Exam(DeviceId Device, ulong Seed, IActorRef Host, IActorRef Asker, Digest? Found, Digest? Right);

    private sealed record Expected(ulong Seed, Digest Root) : INoSerializationVerificationNeeded;

    private sealed record NotExpected(Exception Error) : INoSerializationVerificationNeeded;

    private sealed record TimeOut
    {
        public static TimeOut Instance { get; } = new();
    }
}
