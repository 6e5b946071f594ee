using System.Collections.Immutable;
using Form = EFedLLM.Actors.Protocol.Wire.Forms;

namespace EFedLLM.Actors.Protocol.Wire;

/// <summary>How a device shows that it computes rightly again.</summary>
internal static class GoldenCodecs
{
    private const int Small = 1024;

    /// <summary>How each travels.</summary>
    public static ImmutableArray<WireCodec> All { get; } =
    [
        WireCodec.Of<ComputeGolden, Form.ComputeGolden>("gq", Small, Form.ComputeGolden.Parser, Write, Read),
        WireCodec.Of<GoldenComputed, Form.GoldenComputed>("ga", Small, Form.GoldenComputed.Parser, Write, Read),
    ];

    private static Form.ComputeGolden Write(ComputeGolden message, ActorPaths _) => new() { Device = Values.Write(message.Device), Seed = message.Seed };

    private static ComputeGolden Read(Form.ComputeGolden form, ActorPaths _) => new(Values.Device(form.Device, "device"), form.Seed);

    private static Form.GoldenComputed Write(GoldenComputed message, ActorPaths _)
        => new() { Device = Values.Write(message.Device), Seed = message.Seed, Root = Values.Write(message.Root) };

    private static GoldenComputed Read(Form.GoldenComputed form, ActorPaths _) => new(Values.Device(form.Device, "device"), form.Seed, Values.Digest(form.Root, "root"));
}
