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
    /// <summary>Finds out from what a person typed, and enrols the device where that takes an invite.</summary>
    /// <param name="what">The invite or the address, or null.</param>
    /// <param name="seeds">Further addresses.</param>
    /// <param name="certificate">The certificate's folder that was named, or null.</param>
    /// <param name="dataFolder">The device's data folder.</param>
    /// <param name="key">The device's key.</param>
    /// <param name="name">What the device calls itself.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="UserErrorException">There is nothing to join, or the device is not enrolled.</exception>
    public static async Task<JoinTarget> FindAsync(
        string? what, IReadOnlyList<string> seeds, string? certificate, string dataFolder, DeviceKey key, string name, CancellationToken cancellation)
    {
        if (what is not null && !what.Contains(':', StringComparison.Ordinal))
        {
            if (seeds.Count > 0 || certificate is not null)
            {
                throw new UserErrorException("An invite brings its own addresses and certificate: leave out --seed and --cert.", ExitCodes.Usage);
            }

            return Of(await ByInviteAsync(what, dataFolder, key, name, cancellation), dataFolder);
        }

        var all = seeds.Select(seed => HostPort.Parse(seed, "--seed").ToString()).ToList();
        if (what is not null)
        {
            all.Insert(0, HostPort.Parse(what, "The address").ToString());
        }

        if (certificate is not null || all.Count > 0)
        {
            return all.Count == 0
                ? throw new UserErrorException("Whom to join? Name a cluster's address, as \"efedllm up\" prints it: efedllm join <host:port>", ExitCodes.Usage)
                : certificate is null && JoinedCluster.Latest(dataFolder, all[0]) is { } known ? Of(known, dataFolder) with { Seeds = all } : new JoinTarget(all, null, certificate);
        }

        return JoinedCluster.Latest(dataFolder, null) is { } joined
            ? Of(joined, dataFolder)
            : throw new UserErrorException("Whom to join? Give an invite (\"efedllm invite\" on the cluster's gateway makes one), or a cluster's address: efedllm join <invite | host:port>", ExitCodes.Usage);
    }

    private static JoinTarget Of(JoinedCluster joined, string dataFolder) => new(joined.Seeds, joined, JoinedCluster.Folder(dataFolder, joined.Authority));

    private static async Task<JoinedCluster> ByInviteAsync(string text, string dataFolder, DeviceKey key, string name, CancellationToken cancellation)
    {
        InviteToken invite;
        try
        {
            invite = InviteToken.Parse(text);
        }
        catch (FormatException error)
        {
            throw new UserErrorException(error.Message, ExitCodes.Usage, error);
        }

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
