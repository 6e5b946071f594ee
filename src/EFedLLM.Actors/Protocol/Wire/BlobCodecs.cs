using Form = EFedLLM.Actors.Protocol.Wire.Forms;

namespace EFedLLM.Actors.Protocol.Wire;

/// <summary>What a device says of files, inside its announcement.</summary>
internal static class BlobCodecs
{
    /// <summary>An offer's form.</summary>
    public static Form.BlobOffer Write(BlobOffer offer)
    {
        var form = new Form.BlobOffer { Port = offer.Port };
        foreach (var held in offer.Held.AsSpan())
        {
            var files = new Form.HeldFiles { Model = Values.Write(held.Model) };
            foreach (var range in held.Units.AsSpan())
            {
                files.Units.Add(Values.Write(range));
            }

            form.Held.Add(files);
        }

        foreach (var fetching in offer.Fetching.AsSpan())
        {
            form.Fetching.Add(new Form.FetchingRange
            {
                Model = Values.Write(fetching.Model),
                Range = Values.Write(fetching.Range),
                DoneBytes = fetching.DoneBytes,
                TotalBytes = fetching.TotalBytes,
            });
        }

        return form;
    }

    /// <summary>The offer in a form.</summary>
    /// <exception cref="MalformedMessageException">A field is out of bounds.</exception>
    public static BlobOffer Read(Form.BlobOffer form)
    {
        Require.Count(form.Held.Count, ProtocolLimits.AnnouncedRanges, "held");
        Require.Count(form.Fetching.Count, ProtocolLimits.AnnouncedRanges, "fetching");
        return new BlobOffer(
            Require.Within(form.Port, 0, ushort.MaxValue, "port"),
            [.. form.Held.Select(Read)],
            [.. form.Fetching.Select(Read)]);
    }

    private static HeldFiles Read(Form.HeldFiles form)
    {
        Require.Count(form.Units.Count, ProtocolLimits.AnnouncedRanges, "units");
        return new HeldFiles(Values.Model(form.Model), [.. form.Units.Select(range => Values.Range(range))]);
    }

    private static FetchingRange Read(Form.FetchingRange form)
    {
        var total = Require.AtLeast(form.TotalBytes, 0, "total_bytes");
        var done = Require.AtLeast(form.DoneBytes, 0, "done_bytes");
        return done <= total
            ? new FetchingRange(Values.Model(form.Model), Values.Range(form.Range), done, total)
            : throw new MalformedMessageException($"done_bytes is {done}, more than the total of {total}.");
    }
}
