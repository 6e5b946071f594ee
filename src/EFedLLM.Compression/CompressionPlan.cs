using System.Collections.Immutable;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression;

/// <summary>Which form each matrix of a model gets under some settings.</summary>
public static class CompressionPlan
{
    /// <summary>
    /// The forms of all matrices, in the manifest's order. The embedding is a table and the head an 8-bit base in every
    /// profile: a head of low rank loses much, a table has nothing to gain. Under <see cref="CompressionProfile.Svd"/>
    /// the layers' matrices are factored, except where that saves no byte (ranks are stored in whole groups, so tiny
    /// matrices may grow) and except keys and values that grouped-query attention has already made smaller than the
    /// queries: they hold few bytes and lose most. Those stay 8-bit bases.
    /// </summary>
    /// <exception cref="ArgumentException">A setting is out of its bounds, or the profile is one whose forms depend on the weights.</exception>
    public static ImmutableArray<MatrixForm> Forms(ModelShape shape, CompressionSettings settings)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(settings);
        settings.Check();
        if (settings.Profile == CompressionProfile.Calibrated)
        {
            throw new ArgumentException("The forms of a calibrated model depend on its weights and on the calibration text.", nameof(settings));
        }

        var forms = ImmutableArray.CreateBuilder<MatrixForm>();
        for (var unit = 0; unit < shape.Units; unit++)
        {
            foreach (var site in ManifestLayout.Sites(shape, unit))
            {
                forms.Add(Form(shape, unit, site, settings));
            }
        }

        return forms.ToImmutable();
    }

    /// <summary>The largest rank whose factors hold at most the share <paramref name="keep"/> of a matrix's parameters, but at least 1.</summary>
    public static int Rank(int outputs, int inputs, double keep)
    {
        var rank = Math.Floor(keep * outputs * inputs / ((double)outputs + inputs));
        return (int)Math.Clamp(rank, 1, Math.Min(outputs, inputs));
    }

    private static MatrixForm Form(ModelShape shape, int unit, ManifestSite site, CompressionSettings settings)
    {
        if (unit == 0)
        {
            return ManifestLayout.Form(unit, site, new GroupForm(8, ManifestLayout.EmbeddingGroup), 0, null);
        }

        var group = new GroupForm(8, settings.Group);
        var plain = ManifestLayout.Form(unit, site, group, 0, null);
        if (settings.Profile != CompressionProfile.Svd || unit == shape.Layers + 1 || IsGrouped(shape, site))
        {
            return plain;
        }

        var factored = ManifestLayout.Form(unit, site, null, Rank(site.Outputs, site.Inputs, settings.Keep), group);
        return factored.Bytes < plain.Bytes ? factored : plain;
    }

    private static bool IsGrouped(ModelShape shape, ManifestSite site) =>
        shape.KeyValueHeads < shape.Heads && site.Name is ("self_attn.k_proj" or "self_attn.v_proj");
}
