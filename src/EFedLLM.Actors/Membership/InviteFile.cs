using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Membership;

/// <summary>The invites on disk, beside the authority's key. Every change is on disk before anybody acts on it. One process at a time; not safe for several threads.</summary>
internal sealed class InviteFile : IDisposable
{
    /// <summary>Its name in the authority's folder.</summary>
    public const string Name = "invites.json";

    private const string LockName = "invites.lock";
    private const int Version = 1;
    private const int MaxBytes = 4 << 20;

    // Open ones are never forgotten; of the others, as many as anybody may want to look at.
    private const int MostOpen = 1000;
    private const int MostClosed = 1000;

    private readonly FileStream _lock;
    private readonly string _file;

    private InviteFile(string file, FileStream claim, ImmutableArray<Invite> invites) => (_file, _lock, Invites) = (file, claim, invites);

    /// <summary>The invites, the oldest first.</summary>
    public ImmutableArray<Invite> Invites { get; private set; }

    /// <summary>Opens the file of an authority.</summary>
    /// <param name="folder">The authority's folder.</param>
    /// <exception cref="IOException">Another process uses it.</exception>
    /// <exception cref="InvalidDataException">The file cannot be used.</exception>
    public static InviteFile Open(string folder)
    {
        FileStream claim;
        try
        {
            claim = new FileStream(Path.Combine(folder, LockName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException error)
        {
            throw new IOException($"Another node invites with the authority in {folder} already; only one can. Start this one without --ca.", error);
        }

        try
        {
            var file = Path.Combine(folder, Name);
            return new InviteFile(file, claim, Read(file));
        }
        catch
        {
            claim.Dispose();
            throw;
        }
    }

    /// <summary>Adds an invite, or puts it in the place of the one with its id. On return it is on disk.</summary>
    /// <param name="invite">The invite.</param>
    /// <param name="now">The clock.</param>
    /// <exception cref="InvalidOperationException">There are too many open ones.</exception>
    public void Put(Invite invite, DateTimeOffset now)
    {
        var others = Invites.Where(other => other.Id != invite.Id).ToArray();
        var open = others.Where(other => IsOpen(other, now)).ToArray();
        if (IsOpen(invite, now) && open.Length >= MostOpen)
        {
            throw new InvalidOperationException($"There are {open.Length} open invites already; revoke some, or let them expire.");
        }

        var closed = others.Except(open).OrderByDescending(other => other.Changed ?? other.Expires).Take(MostClosed);
        ImmutableArray<Invite> next = [.. open.Concat(closed).Append(invite).OrderBy(other => other.Created).ThenBy(other => other.Id, StringComparer.Ordinal)];
        SecretFile.Replace(_file, JsonSerializer.SerializeToUtf8Bytes(new Form(Version, [.. next.Select(Write)]), InviteJson.Default.Form));
        Invites = next;
    }

    /// <inheritdoc/>
    public void Dispose() => _lock.Dispose();

    private static bool IsOpen(Invite invite, DateTimeOffset now) => invite.State == InviteState.Open && now < invite.Expires;

    private static ImmutableArray<Invite> Read(string file)
    {
        if (!File.Exists(file))
        {
            return [];
        }

        try
        {
            if (new FileInfo(file).Length > MaxBytes)
            {
                throw new InvalidDataException("It is too long.");
            }

            var form = JsonSerializer.Deserialize(File.ReadAllBytes(file), InviteJson.Default.Form);
            return form is { Version: Version, Invites: { } invites } ? [.. invites.Select(Read)] : throw new InvalidDataException("It is of another version.");
        }
        catch (Exception error) when (error is JsonException or FormatException or InvalidDataException or ArgumentException)
        {
            throw new InvalidDataException($"{file} holds the invites and cannot be used: {error.Message} Delete it: the invites in it are then worth nothing, whether used or not.", error);
        }
    }

    private static Entry Write(Invite invite) => new(
        invite.Id, invite.Name, invite.SecretHash, invite.Created, invite.Expires, invite.State.ToString(), invite.Device?.Value, invite.Changed, invite.Owner);

    private static Invite Read(Entry entry) => new(
        entry.Id,
        entry.Name,
        entry.SecretHash is { Length: 64 } hash && hash.All(char.IsAsciiHexDigit) ? hash : throw new FormatException("A hash is damaged."),
        entry.Created,
        entry.Expires,
        Enum.Parse<InviteState>(entry.State),
        entry.Device is { } device ? new DeviceId(device) : null,
        entry.Changed,
        entry.Owner is not { } owner || OwnerName.Problem(owner) is null ? entry.Owner : throw new FormatException("An owner is damaged."));

    internal sealed record Form(int Version, IReadOnlyList<Entry> Invites);

    internal sealed record Entry(
        string Id, string? Name, string SecretHash, DateTimeOffset Created, DateTimeOffset Expires, string State, string? Device, DateTimeOffset? Changed, string? Owner = null);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(InviteFile.Form))]
internal sealed partial class InviteJson : JsonSerializerContext;
