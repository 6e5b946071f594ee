using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Protocol.Wire;
using Google.Protobuf;
using Form = EFedLLM.Actors.Protocol.Wire.Forms;

namespace EFedLLM.Actors.Reputation;

/// <summary>A waiting report as it is stored.</summary>
internal static class OutboxForm
{
    /// <summary>Most bytes of one: far more than it takes.</summary>
    public const int MostBytes = LedgerCodecs.EntryBytes;

    /// <summary>The stored form.</summary>
    public static byte[] Write(RecordWork report) => new Form.WaitingReport
    {
        Id = LedgerCodecs.Write(report.Id),
        Device = Values.Write(report.Device),
        Session = Values.Write(report.Session),
        Model = Values.Write(report.Model),
        Range = Values.Write(report.Range),
        Outcome = (int)report.Outcome,
        Tokens = report.Tokens,
        At = report.At.UtcTicks,
        Check = TrustCodecs.Write(report.Check),
        Size = LedgerCodecs.Write(report.Size),
    }.ToByteArray();

    /// <summary>The report.</summary>
    /// <exception cref="MalformedMessageException">The bytes are none.</exception>
    public static RecordWork Read(byte[] bytes)
    {
        if (bytes.Length > MostBytes)
        {
            throw new MalformedMessageException($"A waiting report has {bytes.Length} bytes; at most {MostBytes} are possible.");
        }

        Form.WaitingReport form;
        try
        {
            form = Form.WaitingReport.Parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException error)
        {
            throw new MalformedMessageException("A waiting report is damaged.", error);
        }

        return new RecordWork(
            LedgerCodecs.Read(form.Id),
            Values.Device(form.Device, "device"),
            Values.Session(form.Session),
            Values.Model(form.Model),
            Values.Range(form.Range),
            Require.Defined<WorkOutcome>(form.Outcome, "outcome"),
            Values.Position(form.Tokens, "tokens"),
            Values.Moment(form.At, "at"),
            TrustCodecs.Read(form.Check, (WorkOutcome)form.Outcome))
        {
            Size = LedgerCodecs.Read(form.Size),
        };
    }
}
