using Akka;
using Akka.Actor;
using Akka.Cluster;
using Akka.Event;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Layers;

/// <summary>How a device leaves: it says so, serves until the others hold its layers, takes nothing new then, and goes when its last session is over.</summary>
internal sealed partial class LayerHost
{
    private IActorRef? _leaver;
    private long _leavingSince;
    private bool _isLeaving;
    private bool _isGivingUp;
    private string _told = "";

    private void ReceiveLeaving()
    {
        Receive<LeaveDevice>(_ => Leave(Sender));
        Receive<LeaveCluster>(AskedToLeave);
        Receive<DrainTimeOver>(_ => GoOnLeaving());
    }

    /// <summary>Somebody asks the device to leave. Whoever runs its process lets it; the host only passes it on.</summary>
    private void AskedToLeave(LeaveCluster message)
    {
        var limit = (int)Math.Min(int.MaxValue, Math.Ceiling((_settings.Limits.DrainTime + _settings.DrainGrace).TotalSeconds));
        if (Refusal(message) is { } refusal)
        {
            _log.Warning("{0} asks this device to leave: {1}", Sender, refusal);
            Sender.Tell(new LeaveAnswer(message.Device, refusal, limit));
            return;
        }

        Sender.Tell(new LeaveAnswer(message.Device, null, limit));
        _settings.LeaveAsked?.Invoke();
    }

    private string? Refusal(LeaveCluster message)
    {
        if (message.Device != _settings.DeviceId)
        {
            return $"this is device {_settings.DeviceId.Short}, not {message.Device.Short}.";
        }

        // Any member could ask; only those that people ask may.
        if (!IsFrom(Sender, ClusterNames.Gateway))
        {
            return "only a gateway may ask a device to leave.";
        }

        return _settings.LeaveAsked is null ? "this device runs in a program that cannot end it." : null;
    }

    /// <summary>Whether a member that is up and has a role sent something.</summary>
    private bool IsFrom(IActorRef sender, string role)
    {
        var address = sender.Path.Address;
        return _view.Members.FirstOrDefault(member => member.Address.Equals(address.HasLocalScope ? _node : address)) is { Status: MemberStatus.Up } asker
            && asker.Roles.Contains(role, StringComparer.Ordinal);
    }

    private void Leave(IActorRef leaver)
    {
        _leaver = leaver;
        if (!_isLeaving)
        {
            _isLeaving = true;
            _leavingSince = _settings.Time.GetTimestamp();
            _fetches?.KeepOnly(_ => false);
            Timers.StartSingleTimer(DrainTimeOver.Instance, DrainTimeOver.Instance, _settings.Limits.DrainTime);
            Announce();
            GoOnLeaving();
        }

        SayLeft();
    }

    private void GoOnLeaving()
    {
        var held = _entries.Where(entry => entry.Value.State == HoldingState.Serving).Select(entry => entry.Key).ToArray();
        if (!_isLeaving || _isGivingUp || held.Length == 0)
        {
            return;
        }

        var covers = held.Select(key => key.Model).Distinct().Select(model => ModelCover.Of(_view, _settings.DeviceId, model)).ToArray();
        var decision = LeavePlanner.Decide(covers, _settings.Time.GetElapsedTime(_leavingSince), _settings.Limits.DrainTime);
        Say(decision.Words);
        if (decision.MayGiveUp)
        {
            _isGivingUp = true;
            foreach (var key in held)
            {
                Drain(key);
            }
        }
    }

    private void Say(string words)
    {
        if (words != _told)
        {
            _told = words;
            _log.Info("Leaving: {0}", words);
            _settings.LeaveTold?.Invoke(words);
        }
    }

    private void SayLeft()
    {
        if (_leaver is not null && _entries.Values.All(entry => entry.State is HoldingState.Ending or HoldingState.Loading))
        {
            _leaver.Tell(Done.Instance);
            _leaver = null;
        }
    }
}
