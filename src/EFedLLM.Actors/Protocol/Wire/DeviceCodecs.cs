using System.Buffers;
using System.Collections.Immutable;
using Akka.Actor;
using EFedLLM.Actors.Identity;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Form = EFedLLM.Actors.Protocol.Wire.Forms;

namespace EFedLLM.Actors.Protocol.Wire;

/// <summary>Facts in distributed data.</summary>
internal static class DeviceCodecs
{
    private const int AddressCharacters = 255;

    private static readonly SearchValues<char> SchemeCharacters = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789.");
    private static readonly SearchValues<char> SystemCharacters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

    /// <summary>How each travels.</summary>
    public static ImmutableArray<WireCodec> All { get; } =
    [
        WireCodec.Of<DeviceAnnouncement, Form.DeviceAnnouncement>("da", ProtocolLimits.AnnouncedRanges * 8 * 1024, Form.DeviceAnnouncement.Parser, Write, Read),
        WireCodec.Of<ServedModel, Form.ServedModel>("sm", ProtocolLimits.Units * 64, Form.ServedModel.Parser, Write, Read),
        WireCodec.Of<PlacementPlan, Form.PlacementPlan>("pp", ProtocolLimits.Devices * 512, Form.PlacementPlan.Parser, Write, Read),
    ];

    private static Form.DeviceAnnouncement Write(DeviceAnnouncement message, ActorPaths paths)
    {
        var form = new Form.DeviceAnnouncement
        {
            Device = Values.Write(message.Device),
            Name = message.Name,
            Node = Write(message.Node),
            Host = paths.Write(message.Host),
            MemoryBytes = message.MemoryBytes,
            BytesPerSecond = message.BytesPerSecond,
            Leaving = message.Leaving,
            Revision = message.Revision,
            Blobs = message.Blobs is { } blobs ? BlobCodecs.Write(blobs) : null,
            PublicKey = ByteString.CopyFrom(message.PublicKey.Span),
            Owner = message.Owner ?? "",
            Certificate = ByteString.CopyFrom(message.Certificate.Span),
        };
        foreach (var model in message.Models.AsSpan())
        {
            form.Models.Add(Values.Write(model));
        }

        foreach (var loaded in message.Loaded.AsSpan())
        {
            form.Loaded.Add(new Form.LoadedRange
            {
                Model = Values.Write(loaded.Model),
                Range = Values.Write(loaded.Range),
                Shard = paths.Write(loaded.Shard),
                WeightBytes = loaded.WeightBytes,
                StreamedBytes = loaded.StreamedBytes,
            });
        }

        foreach (var link in message.Links.AsSpan())
        {
            form.Links.Add(new Form.LinkSample { Peer = Values.Write(link.Peer), Milliseconds = link.Milliseconds });
        }

        return form;
    }

    private static DeviceAnnouncement Read(Form.DeviceAnnouncement form, ActorPaths paths)
    {
        Require.Count(form.Models.Count, ProtocolLimits.AnnouncedRanges, "models");
        Require.Count(form.Loaded.Count, ProtocolLimits.AnnouncedRanges, "loaded");
        Require.Count(form.Links.Count, ProtocolLimits.LinkSamples, "links");
        var device = Values.Device(form.Device, "device");
        return new DeviceAnnouncement(
            device,
            Require.Text(form.Name, ProtocolLimits.TextCharacters, "name"),
            ReadAddress(Require.Present(form.Node, "node")),
            paths.Read(form.Host, "host"),
            Require.AtLeast(form.MemoryBytes, 0, "memory_bytes"),
            Require.NotNegative(form.BytesPerSecond, "bytes_per_second"),
            [.. form.Models.Select(model => Values.Model(model, "models"))],
            [.. form.Loaded.Select(loaded => new LoadedRange(
                Values.Model(loaded.Model),
                Values.Range(loaded.Range),
                paths.Read(loaded.Shard, "shard"),
                Require.AtLeast(loaded.WeightBytes, 0, "weight_bytes"),
                Require.AtLeast(loaded.StreamedBytes, 0, "streamed_bytes")))],
            form.Leaving,
            Require.AtLeast(form.Revision, 0, "revision"),
            form.Blobs is { } blobs ? BlobCodecs.Read(blobs) : null)
        {
            Links = [.. form.Links.Select(link => new LinkSample(Values.Device(link.Peer, "peer"), (float)Require.NotNegative(link.Milliseconds, "milliseconds")))],
            PublicKey = PublicKey(form.PublicKey, device),
            Owner = form.Owner.Length == 0 ? null : OwnerName.Problem(form.Owner) is { } problem ? throw new MalformedMessageException($"owner cannot be: {problem}.") : form.Owner,
            Certificate = form.Certificate.Length <= CertificateRules.MostBytes
                ? form.Certificate.ToByteArray()
                : throw new MalformedMessageException($"certificate has {form.Certificate.Length} bytes; at most {CertificateRules.MostBytes} are allowed."),
        };
    }

    /// <summary>A device is called after its key: who says another one has somebody else's name.</summary>
    private static byte[] PublicKey(ByteString form, DeviceId device)
        => form.IsEmpty || (form.Length == DeviceKey.PublicKeyBytes && DeviceKey.IdOf(form.Span) == device)
            ? form.ToByteArray()
            : throw new MalformedMessageException($"public_key is not the key of device {device.Short}.");

    /// <summary>The form of a node's address.</summary>
    public static Form.NodeAddress Write(Address address)
    {
        var form = new Form.NodeAddress { Protocol = address.Protocol, System = address.System };
        if (address.Host is { } host)
        {
            form.Host = host;
        }

        if (address.Port is { } port)
        {
            form.Port = port;
        }

        return form;
    }

    /// <summary>A node's address.</summary>
    public static Address ReadAddress(Form.NodeAddress form)
    {
        Name(form.Protocol, SchemeCharacters, "protocol");
        Name(form.System, SystemCharacters, "system");
        if (form.HasHost != form.HasPort)
        {
            throw new MalformedMessageException("node has a host without a port, or a port without a host.");
        }

        if (!form.HasHost)
        {
            return new Address(form.Protocol, form.System);
        }

        if (form.Host.Length is 0 or > AddressCharacters || Uri.CheckHostName(form.Host) == UriHostNameType.Unknown)
        {
            throw new MalformedMessageException("node's host is no host name or address.");
        }

        return new Address(form.Protocol, form.System, form.Host, Require.Within(form.Port, 0, ushort.MaxValue, "port"));
    }

    private static void Name(string value, SearchValues<char> allowed, string field)
    {
        if (value.Length is 0 or > AddressCharacters || value.AsSpan().ContainsAnyExcept(allowed))
        {
            throw new MalformedMessageException($"node's {field} has forbidden characters, or none, or more than {AddressCharacters}.");
        }
    }

    private static Form.ServedModel Write(ServedModel message, ActorPaths _)
    {
        var form = new Form.ServedModel
        {
            Model = Values.Write(message.Model),
            Name = message.Name,
            HiddenSize = message.HiddenSize,
            ContextLength = message.ContextLength,
            BitsPerWeight = message.BitsPerWeight,
            CanStream = message.CanStream,
            Files = message.Files is { } files ? new Form.FilesOffer { Giver = Values.Write(files.Giver), Port = files.Port } : null,
        };
        Values.Write(form.UnitBytes, message.UnitBytes);
        Values.Write(form.UnitReadBytes, message.UnitReadBytes);
        Values.Write(form.UnitCacheBytes, message.UnitCacheBytes);
        return form;
    }

    private static ServedModel Read(Form.ServedModel form, ActorPaths _)
    {
        var units = Require.Within(form.UnitBytes.Count, 2, ProtocolLimits.Units, "number of units");
        return new ServedModel(
            Values.Model(form.Model),
            Require.Text(form.Name, ProtocolLimits.TextCharacters, "name"),
            Require.Within(form.HiddenSize, 1, ProtocolLimits.RowBytes / sizeof(float), "hidden_size"),
            PerUnit(form.UnitBytes, units, "unit_bytes"),
            PerUnit(form.UnitReadBytes, units, "unit_read_bytes"),
            PerUnit(form.UnitCacheBytes, units, "unit_cache_bytes"),
            Require.Within(form.ContextLength, 1, ProtocolLimits.SessionTokens, "context_length"),
            Require.NotNegative(form.BitsPerWeight, "bits_per_weight"),
            form.Files is { } files ? new FilesOffer(Values.Device(files.Giver, "giver"), Require.Within(files.Port, 1, ushort.MaxValue, "port")) : null,
            form.CanStream);
    }

    private static ImmutableArray<long> PerUnit(RepeatedField<long> field, int units, string name)
        => field.Count == units
            ? [.. field.Select(bytes => Require.AtLeast(bytes, 0, name))]
            : throw new MalformedMessageException($"{name} has {field.Count} entries for {units} units.");

    private static Form.PlacementPlan Write(PlacementPlan message, ActorPaths _)
    {
        var form = new Form.PlacementPlan { Model = Values.Write(message.Model), Version = message.Version };
        if (message.Problem is not null)
        {
            form.Problem = Values.Clip(message.Problem);
        }

        foreach (var assignment in message.Assignments.AsSpan())
        {
            form.Assignments.Add(new Form.Assignment
            {
                Device = Values.Write(assignment.Device),
                Range = Values.Write(assignment.Range),
                Reason = Values.Clip(assignment.Reason),
                MemoryBytes = assignment.MemoryBytes,
            });
        }

        return form;
    }

    private static PlacementPlan Read(Form.PlacementPlan form, ActorPaths _)
    {
        Require.Count(form.Assignments.Count, ProtocolLimits.Devices, "assignments");
        var seen = new HashSet<DeviceId>();
        var assignments = ImmutableArray.CreateBuilder<Assignment>(form.Assignments.Count);
        foreach (var assignment in form.Assignments)
        {
            var device = Values.Device(assignment.Device, "device");
            if (!seen.Add(device))
            {
                throw new MalformedMessageException($"device {device.Short} is assigned two ranges.");
            }

            assignments.Add(new Assignment(
                device,
                Values.Range(assignment.Range),
                Require.Text(assignment.Reason, ProtocolLimits.TextCharacters, "reason"),
                Require.AtLeast(assignment.MemoryBytes, 0, "memory_bytes")));
        }

        return new PlacementPlan(
            Values.Model(form.Model),
            Require.AtLeast(form.Version, 0, "version"),
            assignments.MoveToImmutable(),
            form.HasProblem ? Require.Text(form.Problem, ProtocolLimits.TextCharacters, "problem") : null);
    }
}
