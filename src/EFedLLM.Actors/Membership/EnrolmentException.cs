namespace EFedLLM.Actors.Membership;

/// <summary>A device is not enrolled.</summary>
/// <param name="refusal">Why.</param>
/// <param name="message">The same for people, with what to do.</param>
public sealed class EnrolmentException(EnrolmentRefusal refusal, string message) : Exception(message)
{
    /// <summary>Why.</summary>
    public EnrolmentRefusal Refusal { get; } = refusal;
}
