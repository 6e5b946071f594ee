namespace EFedLLM.Actors.Protocol.Wire;

/// <summary>Checks of what arrived. Each returns the value it lets pass and throws <see cref="MalformedMessageException"/> naming the field otherwise.</summary>
internal static class Require
{
    /// <summary>A submessage that is there.</summary>
    public static T Present<T>(T? value, string field)
        where T : class
        => value ?? throw new MalformedMessageException($"{field} is missing.");

    /// <summary>A number from <paramref name="least"/> to <paramref name="most"/>.</summary>
    public static int Within(int value, int least, int most, string field)
        => value >= least && value <= most ? value : throw new MalformedMessageException($"{field} is {value}; it must be {least} to {most}.");

    /// <summary>A number of at least <paramref name="least"/>.</summary>
    public static long AtLeast(long value, long least, string field)
        => value >= least ? value : throw new MalformedMessageException($"{field} is {value}; it must be at least {least}.");

    /// <summary>A number that is neither NaN nor infinite.</summary>
    public static float Finite(float value, string field)
        => float.IsFinite(value) ? value : throw new MalformedMessageException($"{field} is not a finite number.");

    /// <summary>A finite number of at least 0.</summary>
    public static double NotNegative(double value, string field)
        => double.IsFinite(value) && value >= 0 ? value : throw new MalformedMessageException($"{field} is not a finite number of at least 0.");

    /// <summary>A finite number from 0 to <paramref name="most"/>.</summary>
    public static double UpTo(double value, double most, string field)
        => value >= 0 && value <= most ? value : throw new MalformedMessageException($"{field} is {value}; it must be 0 to {most}.");

    /// <summary>A count of at most <paramref name="most"/>.</summary>
    public static int Count(int count, int most, string field)
        => count <= most ? count : throw new MalformedMessageException($"{field} has {count} entries; at most {most} are allowed.");

    /// <summary>A text of at most <paramref name="most"/> characters.</summary>
    public static string Text(string value, int most, string field)
        => value.Length <= most ? value : throw new MalformedMessageException($"{field} has {value.Length} characters; at most {most} are allowed.");

    /// <summary>A defined value of an enumeration.</summary>
    public static T Defined<T>(int value, string field)
        where T : struct, Enum
    {
        var result = (T)Enum.ToObject(typeof(T), value);
        return Enum.IsDefined(result) ? result : throw new MalformedMessageException($"{field} is {value}, which means nothing.");
    }
}
