using System.Net;
using System.Net.Sockets;

namespace EFedLLM.Actors.Membership;

/// <summary>
/// Counts wrong secrets for each address and for all together, in windows of a minute. Secrets cannot be guessed in any case; this keeps
/// somebody who tries from costing more than a comparison. Bounded memory; not safe for several threads.
/// </summary>
/// <param name="time">The clock.</param>
internal sealed class WrongSecretLimiter(TimeProvider time)
{
    /// <summary>Most wrong secrets of one address in a window.</summary>
    public const int PerAddress = 10;

    /// <summary>Most wrong secrets of all addresses in a window.</summary>
    public const int Overall = 1000;

    private static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    // Each is added by a wrong secret, so the overall bound is the bound of the table.
    private readonly Dictionary<IPAddress, int> _wrong = [];
    private long _began = time.GetTimestamp();
    private int _all;

    /// <summary>Whether an address may try.</summary>
    public bool MayTry(IPAddress from)
    {
        if (time.GetElapsedTime(_began) >= Window)
        {
            _wrong.Clear();
            (_all, _began) = (0, time.GetTimestamp());
        }

        return _all < Overall && _wrong.GetValueOrDefault(Network(from)) < PerAddress;
    }

    /// <summary>An address showed a wrong secret.</summary>
    public void Count(IPAddress from)
    {
        _all++;
        var network = Network(from);
        _wrong[network] = _wrong.GetValueOrDefault(network) + 1;
    }

    /// <summary>Of an IPv6 address the first half: the other is its owner's to choose.</summary>
    private static IPAddress Network(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
        {
            return address.MapToIPv4();
        }

        if (address.AddressFamily != AddressFamily.InterNetworkV6)
        {
            return address;
        }

        var bytes = address.GetAddressBytes();
        bytes.AsSpan(8).Clear();
        return new IPAddress(bytes);
    }
}
