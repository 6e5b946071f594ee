using System.Collections.Immutable;
using Form = EFedLLM.Actors.Protocol.Wire.Forms;

namespace EFedLLM.Actors.Protocol.Wire;

/// <summary>How a device is asked to leave.</summary>
internal static class LeaveCodecs
{
    private const int Small = 1024;
    private const int WithText = 16 * 1024;

    /// <summary>How each travels.</summary>
    public static ImmutableArray<WireCodec> All { get; } =
    [
        WireCodec.Of<LeaveCluster, Form.LeaveCluster>("lc", Small, Form.LeaveCluster.Parser, Write, Read),
        WireCodec.Of<LeaveAnswer, Form.LeaveAnswer>("la", WithText, Form.LeaveAnswer.Parser, Write, Read),
    ];

    private static Form.LeaveCluster Write(LeaveCluster message, ActorPaths _) => new() { Device = Values.Write(message.Device) };

    private static LeaveCluster Read(Form.LeaveCluster form, ActorPaths _) => new(Values.Device(form.Device, "device"));

    private static Form.LeaveAnswer Write(LeaveAnswer message, ActorPaths _)
    {
        var form = new Form.LeaveAnswer { Device = Values.Write(message.Device), Seconds = message.Seconds };
        if (message.Refusal is not null)
        {
            form.Refusal = Values.Clip(message.Refusal);
        }

        return form;
    }

    private static LeaveAnswer Read(Form.LeaveAnswer form, ActorPaths _) => new(
        Values.Device(form.Device, "device"),
        form.HasRefusal ? Require.Text(form.Refusal, ProtocolLimits.TextCharacters, "refusal") : null,
        Require.Within(form.Seconds, 0, int.MaxValue, "seconds"));
}
