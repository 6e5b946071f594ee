using Akka.Actor;
using Akka.Event;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Layers;

/// <summary>How a device shows that it computes rightly again: on the thread and with the kernels that serve sessions, one suite at a time.</summary>
internal sealed partial class LayerHost
{
    private bool _isProving;

    private void ReceiveGolden()
    {
        Receive<ComputeGolden>(ProveSound);
        Receive<GoldenDone>(done =>
        {
            _isProving = false;
            done.Asker.Tell(done.Answer);
        });
    }

    private void ProveSound(ComputeGolden message)
    {
        if (_isProving || message.Device != _settings.DeviceId || !IsFrom(Sender, ClusterNames.Ledger))
        {
            _log.Warning("{0} asks this device for golden vectors, and gets none: only a ledger node may, one at a time.", Sender);
            return;
        }

        var (self, asker, log) = (Self, Sender, _log);
        _isProving = _worker.TryEnqueue(new ComputeJob(team =>
        {
            var root = default(Digest);
            try
            {
                root = GoldenVectors.Compute(message.Seed, team);
            }
            catch (Exception error)
            {
                log.Error(error, "The golden vectors cannot be computed.");
            }

            self.Tell(new GoldenDone(asker, new GoldenComputed(message.Device, message.Seed, root)), ActorRefs.NoSender);
        }));
    }

    private sealed record GoldenDone(IActorRef Asker, GoldenComputed Answer) : INoSerializationVerificationNeeded;
}
