using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Supervision;

namespace EFedLLM.Node.Tests.CommandLine;

public class DataFolderTests
{
    [Fact]
    public void A_folder_belongs_to_one_at_a_time()
    {
        var root = Directory.CreateTempSubdirectory("efedllm-test-");
        try
        {
            using (DataFolder.Claim(root.FullName, "cluster"))
            {
                Assert.Contains("in use", Assert.Throws<UserErrorException>(() => DataFolder.Claim(root.FullName, "cluster")).Message, StringComparison.Ordinal);
            }

            using var again = DataFolder.Claim(root.FullName, "cluster");
            Assert.Equal(root.FullName, again.Path);
        }
        finally
        {
            root.Delete(recursive: true);
        }
    }
}
