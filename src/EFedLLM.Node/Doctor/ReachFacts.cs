using EFedLLM.Actors.Configuration;
using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Output;

namespace EFedLLM.Node.Doctor;

/// <summary>How connecting to another node went.</summary>
internal enum ReachOutcome
{
    /// <summary>Connected, with TLS where this machine has certificates.</summary>
    Connected,

    /// <summary>Nobody listens there.</summary>
    Refused,

    /// <summary>Nobody answers.</summary>
    Silent,

    /// <summary>There is no such name.</summary>
    UnknownName,

    /// <summary>The other side speaks no TLS, or refuses this machine's certificate.</summary>
    NoTls,

    /// <summary>The other side's certificate is not to be trusted.</summary>
    Distrusted,
}

/// <summary>What was measured of the way to another node.</summary>
/// <param name="Node">The node.</param>
/// <param name="Outcome">How it went.</param>
/// <param name="Milliseconds">How long connecting took.</param>
/// <param name="Detail">What the system says, for people; may be empty.</param>
internal sealed record ReachFacts(HostPort Node, ReachOutcome Outcome, double Milliseconds, string Detail = "")
{
    // A LAN answers within a few milliseconds; beyond that the settings for it are impatient.
    private const double WideMilliseconds = 20;

    /// <summary>What it comes to. Pure.</summary>
    /// <param name="ownHost">Where this machine would listen.</param>
    /// <param name="tls">Whether this machine has certificates.</param>
    /// <param name="wide">Whether it would use the settings for wide networks.</param>
    public Finding Judge(string ownHost, bool tls, bool wide)
    {
        var check = $"reach {Node}";
        var detail = Detail.Length > 0 ? $": {Detail}" : "";
        switch (Outcome)
        {
            case ReachOutcome.Refused:
                return Finding.Bad(check, "nobody listens there", "Start the cluster, and compare address and port with what \"efedllm up\" printed.");
            case ReachOutcome.Silent:
                return Finding.Bad(check, $"no answer{detail}", "A firewall stands between, or the address is wrong: open the port there, and check that both machines are in one network.");
            case ReachOutcome.UnknownName:
                return Finding.Bad(check, $"there is no such name{detail}", "Use the machine's address, or mend the name's entry.");
            case ReachOutcome.NoTls:
                return Finding.Bad(check, $"no TLS connection{detail}", "Either that cluster uses no certificates, or it refuses this machine's: issue one with the same authority (efedllm cert issue --ca …).");
            case ReachOutcome.Distrusted:
                return Finding.Bad(check, $"its certificate is not to be trusted{detail}", "It is from another authority than this machine's: issue both with the same one.");
            default:
                break;
        }

        var found = $"connected in {Say.Milliseconds(Milliseconds)}{(tls ? ", certificates accepted" : "")}";
        if (BindRules.IsLoopback(ownHost) && !BindRules.IsLoopback(Node.Host))
        {
            return Finding.Bad(check, $"{found}, but it cannot connect back to {ownHost}", "Name an address of this machine that the other one can reach, with --host.");
        }

        return Milliseconds > WideMilliseconds && !wide
            ? Finding.Doubtful(check, found, "That is far for one network: use --network wan, on every node.")
            : Finding.Good(check, found);
    }
}
