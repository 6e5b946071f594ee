namespace EFedLLM.Actors.Membership;

/// <summary>Why a device is not enrolled.</summary>
public enum EnrolmentRefusal
{
    /// <summary>The request makes no sense, or the device does not prove that it has its key.</summary>
    Malformed = 1,

    /// <summary>There is no such invite, or the secret is another's.</summary>
    Unknown,

    /// <summary>The invite has expired.</summary>
    Expired,

    /// <summary>Another device has used it.</summary>
    Used,

    /// <summary>It was taken back.</summary>
    Revoked,

    /// <summary>The device was evicted from the cluster.</summary>
    Evicted,

    /// <summary>The clocks differ too much for certificates to mean the same on both sides.</summary>
    ClockSkew,

    /// <summary>Too many wrong secrets came from this address, or from everywhere.</summary>
    TooMany,
}
