using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Membership;
using EFedLLM.Node.Client;
using EFedLLM.Node.Output;

namespace EFedLLM.Node.CommandLine;

/// <summary>What a device joins, and with what.</summary>
/// <param name="Seeds">Anchors, each <c>host:port</c>.</param>
/// <param name="Joined">The cluster that the device was enrolled in, or null where it joins without an invite.</param>
/// <param name="CertificateFolder">Its certificate, or null for no TLS.</param>
internal sealed record JoinTarget(IReadOnlyList<string> Seeds, JoinedCluster? Joined, string? CertificateFolder)
{
    /// <summary>Reads what a person typed: an invite, or an address that comes before those named with <c>--seed</c>.</summary>
    /// <param name="what">The invite or the address, or null.</param>
    /// <param name="seeds">Further addresses.</param>
    /// <exception cref="UserErrorException">It is neither.</exception>
    public static (InviteToken? Invite, IReadOnlyList<string> Seeds) Read(string? what, IReadOnlyList<string> seeds)
    {
        var all = seeds.Select(seed => HostPort.Parse(seed, "--seed").ToString());
        if (what is null || what.Contains(':', StringComparison.Ordinal))
        {
            return (null, [.. what is null ? all : all.Prepend(HostPort.Parse(what, "The address").ToString())]);
        }

        try
        {
            return (InviteToken.Parse(what), [.. all]);
        }
        catch (FormatException error)
        {
            throw new UserErrorException(error.Message, ExitCodes.Usage, error);
        }
    }

    /// <summary>Finds what to join, and enrols the device where that takes an invite.</summary>
    /// <param name="invite">The invite, or null.</param>
    /// <param name="seeds">Addresses that were named.</param>
    /// <param name="certificate">The certificate's folder that was named, or null.</param>
    /// <param name="dataFolder">The device's data folder.</param>
    /// <param name="key">The device's key.</param>
    /// <param name="name">What the device calls itself.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="UserErrorException">There is nothing to join, or the device is not enrolled.</exception>
    public static async Task<JoinTarget> FindAsync(
        InviteToken? invite, IReadOnlyList<string> seeds, string? certificate, string dataFolder, DeviceKey key, string name, CancellationToken cancellation)
    {
        if (invite is not null)
        {
            return seeds.Count == 0 && certificate is null
                ? Of(await ByInviteAsync(invite, dataFolder, key, name, cancellation), dataFolder)
                : throw new UserErrorException("An invite brings its own addresses and certificate: leave out --seed and --cert.", ExitCodes.Usage);
        }

        if (seeds.Count > 0)
        {
            // A cluster that the device was enrolled in is joined as a member, whoever names its address.
            return certificate is null && JoinedCluster.Latest(dataFolder, seeds[0]) is { } known
                ? Of(known, dataFolder) with { Seeds = seeds }
                : new JoinTarget(seeds, null, certificate);
        }

        return certificate is null && JoinedCluster.Latest(dataFolder, null) is { } joined
            ? Of(joined, dataFolder)
            : throw new UserErrorException("Whom to join? Give an invite (\"efedllm invite\" on the cluster's gateway makes one), or a cluster's address: efedllm join <invite | host:port>", ExitCodes.Usage);
    }

    private static JoinTarget Of(JoinedCluster joined, string dataFolder) => new(joined.Seeds, joined, JoinedCluster.Folder(dataFolder, joined.Authority));

    private static async Task<JoinedCluster> ByInviteAsync(InviteToken invite, string dataFolder, DeviceKey key, string name, CancellationToken cancellation)
    {
        if (JoinedCluster.Find(dataFolder, invite) is { } joined)
        {
            Screen.Note("this device has a certificate of that cluster already: the invite is left for another");
            return joined;
        }

        joined = await new EnrolmentClient(TimeProvider.System).EnrolAsync(invite, JoinedCluster.Folder(dataFolder, invite.Authority), key, name, cancellation);
        Screen.Note($"enrolled as {joined.Name}; from now on \"efedllm join\" is enough here");
        return joined;
    }
}
