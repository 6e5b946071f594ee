using System.Collections.Immutable;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Protocol.Wire;
using EFedLLM.Actors.Trust;
using Google.Protobuf;
using Form = EFedLLM.Actors.Protocol.Wire.Forms;

namespace EFedLLM.Actors.Placement;

/// <summary>
/// What the ledger last said of devices, in a file of each node's data folder, so that whom it excluded stays so for a node that starts
/// while no ledger answers. What a ledger says then counts instead. A copy for this node alone: nobody else reads it.
/// </summary>
internal static class KeptStandings
{
    /// <summary>The file's name.</summary>
    public const string FileName = "standings";

    /// <summary>Most standings that are kept: the excluded before the others.</summary>
    public const int Most = 50_000;

    private const int MostBytes = Most * 256;

    /// <summary>What is kept in a folder: nothing where there is no file, or one that cannot be read.</summary>
    /// <param name="folder">The node's data folder.</param>
    /// <param name="now">The time: a liar whose exclusion is over by then is in quarantine until a ledger says more.</param>
    /// <returns>And what is wrong with the file, for people; null when nothing is.</returns>
    public static (ImmutableDictionary<DeviceId, DeviceStanding> Standings, string? Problem) Read(string folder, DateTimeOffset now)
    {
        var (file, none) = (Path.Combine(folder, FileName), ImmutableDictionary<DeviceId, DeviceStanding>.Empty);
        try
        {
            if (!File.Exists(file))
            {
                return (none, null);
            }

            if (new FileInfo(file).Length > MostBytes)
            {
                return (none, $"{file} is longer than it can be.");
            }

            var form = Form.StandingsFile.Parser.ParseFrom(File.ReadAllBytes(file));
            Require.Count(form.Standings.Count, Most, "standings");
            return (form.Standings.Select(TrustCodecs.Read).Select(standing => At(standing, now)).GroupBy(standing => standing.Device)
                .ToImmutableDictionary(same => same.Key, same => same.MaxBy(standing => standing.Revision)!), null);
        }
        catch (Exception error) when (error is InvalidProtocolBufferException or MalformedMessageException or IOException or UnauthorizedAccessException)
        {
            return (none, $"{file} cannot be read: {error.Message}");
        }
    }

    /// <summary>Keeps standings in a folder, in place of those before: whoever reads the file, even after a crash, finds one of the two whole.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be written.</exception>
    public static void Write(string folder, IReadOnlyCollection<DeviceStanding> standings)
    {
        var form = new Form.StandingsFile();
        form.Standings.AddRange(standings
            .OrderByDescending(standing => standing.Server == TrustTier.Excluded)
            .ThenByDescending(standing => standing.Revision)
            .Take(Most)
            .Select(TrustCodecs.Write));
        SecretFile.Replace(Path.Combine(folder, FileName), form.ToByteArray());
    }

    private static DeviceStanding At(DeviceStanding standing, DateTimeOffset now)
        => standing.Exclusion is { IsFaulty: false } exclusion && exclusion.Until <= now ? standing with { Server = TrustTier.Quarantined, Exclusion = null } : standing;
}
