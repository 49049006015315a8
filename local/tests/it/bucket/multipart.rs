//! Multipart uploads.

use aws_sdk_s3::operation::create_multipart_upload::CreateMultipartUploadOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart};

use super::server::{BUCKET, Server, refusal, refused};

const PART: usize = 5 * 1024 * 1024;

struct Upload<'a> {
    server: &'a Server,
    id: String,
}

impl<'a> Upload<'a> {
    async fn start(server: &'a Server) -> Self {
        Self::from(server, create(server).send().await.unwrap())
    }

    fn from(server: &'a Server, created: CreateMultipartUploadOutput) -> Self {
        Self { server, id: created.upload_id.unwrap() }
    }

    async fn part(&self, number: i32, byte: u8, length: usize) -> CompletedPart {
        let upload = self.server.client.upload_part().bucket(BUCKET).key("big").upload_id(&self.id).part_number(number);
        let sent = upload.body(ByteStream::from(vec![byte; length])).send().await.unwrap();
        CompletedPart::builder().part_number(number).e_tag(sent.e_tag.unwrap()).build()
    }

    fn complete(
        &self,
        parts: &[&CompletedPart],
    ) -> aws_sdk_s3::operation::complete_multipart_upload::builders::CompleteMultipartUploadFluentBuilder {
        let parts = parts.iter().map(|part| (*part).clone()).collect();
        let list = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        self.server
            .client
            .complete_multipart_upload()
            .bucket(BUCKET)
            .key("big")
            .upload_id(&self.id)
            .multipart_upload(list)
    }
}

fn create(
    server: &Server,
) -> aws_sdk_s3::operation::create_multipart_upload::builders::CreateMultipartUploadFluentBuilder {
    server.client.create_multipart_upload().bucket(BUCKET).key("big").content_type("application/pdf").metadata("m", "1")
}

#[tokio::test]
async fn three_parts_make_one_object_and_survive_a_restart() {
    let server = Server::start().await;
    let created = create(&server).checksum_algorithm(ChecksumAlgorithm::Sha256).send().await.unwrap();
    let first = Upload::from(&server, created);
    let id = first.id.clone();
    first.part(1, b'x', 10).await;
    let one = first.part(1, b'a', PART).await;
    let two = first.part(2, b'b', PART).await;

    let server = server.restart().await;
    let upload = Upload { server: &server, id };
    let three = upload.part(3, b'c', 7).await;
    let list = || server.client.list_parts().bucket(BUCKET).key("big").upload_id(&upload.id);
    let listed = list().max_parts(2).send().await.unwrap();
    assert_eq!((listed.parts().len(), listed.is_truncated()), (2, Some(true)));
    let rest = list().part_number_marker(listed.next_part_number_marker().unwrap()).send().await.unwrap();
    assert_eq!((rest.parts()[0].size(), rest.is_truncated()), (Some(7), Some(false)));

    let done = upload.complete(&[&one, &two, &three]).send().await.unwrap();
    // MD5 of the three MD5s, computed with another tool.
    assert_eq!(done.e_tag(), Some("\"1e978b7a73a0f5572fc6d81d05626439-3\""));
    let head = server.client.head_object().bucket(BUCKET).key("big").checksum_mode(ChecksumMode::Enabled);
    let head = head.send().await.unwrap();
    assert_eq!(head.content_length(), Some(2 * PART as i64 + 7));
    assert_eq!(head.content_type(), Some("application/pdf"));
    assert_eq!(head.metadata().unwrap()["m"], "1");
    assert!(head.checksum_sha256().unwrap().ends_with("-3"));
    assert_eq!(head.checksum_type(), Some(&ChecksumType::Composite));
    let tail = server.client.get_object().bucket(BUCKET).key("big").range("bytes=-9").send().await.unwrap();
    assert_eq!(tail.body.collect().await.unwrap().to_vec(), b"bbccccccc");

    assert_eq!(refusal(list().send().await), refused(404, "NoSuchUpload"));
    let folder = server.folder().join(BUCKET).join("uploads");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
}

#[tokio::test]
async fn wrong_lists_are_refused() {
    let server = Server::with(|options| options.max_object_bytes = 2 * PART as u64).await;
    let upload = Upload::start(&server).await;
    let small = upload.part(1, b'a', 10).await;
    let two = upload.part(2, b'b', PART).await;
    let three = upload.part(3, b'c', PART).await;
    let four = upload.part(4, b'd', 1).await;
    let wrong = CompletedPart::builder().part_number(1).e_tag("\"other\"").build();
    let checksum =
        CompletedPart::builder().part_number(2).e_tag(two.e_tag().unwrap()).checksum_crc32("AAAAAA==").build();
    let absent = CompletedPart::builder().part_number(9).e_tag(two.e_tag().unwrap()).build();
    for (parts, code) in [
        (vec![&two, &small], "InvalidPartOrder"),
        (vec![&two, &two], "InvalidPartOrder"),
        (vec![&small, &two], "EntityTooSmall"),
        (vec![&wrong], "InvalidPart"),
        (vec![&absent], "InvalidPart"),
        (vec![&checksum], "InvalidPart"),
        (vec![&two, &three, &four], "EntityTooLarge"),
        (vec![], "MalformedXML"),
    ] {
        assert_eq!(refusal(upload.complete(&parts).send().await), refused(400, code));
    }
    server.put("big", "there").await;
    let late = upload.complete(&[&two]).if_none_match("*").send().await;
    assert_eq!(refusal(late), refused(412, "PreconditionFailed"));
    let sized = upload.complete(&[&two]).mpu_object_size(1).send().await;
    assert_eq!(refusal(sized), refused(400, "InvalidRequest"));
    assert_eq!(server.get("big").await, "there");
    upload.complete(&[&two, &three]).send().await.unwrap();
}

#[tokio::test]
async fn an_upload_is_known_by_its_id_and_its_key() {
    let server = Server::start().await;
    let upload = Upload::start(&server).await;
    let part = |id: &str, key: &str, number| {
        let part = server.client.upload_part().bucket(BUCKET).key(key).upload_id(id).part_number(number);
        part.body(super::server::bytes("x")).send()
    };
    assert_eq!(refusal(part(&upload.id, "another", 1).await), refused(404, "NoSuchUpload"));
    assert_eq!(refusal(part("../../objects", "big", 1).await), refused(404, "NoSuchUpload"));
    for number in [0, 10_001] {
        assert_eq!(refusal(part(&upload.id, "big", number).await), refused(400, "InvalidArgument"));
    }
    let abort = || server.client.abort_multipart_upload().bucket(BUCKET).key("big").upload_id(&upload.id).send();
    abort().await.unwrap();
    assert_eq!(refusal(abort().await), refused(404, "NoSuchUpload"));
    assert_eq!(refusal(part(&upload.id, "big", 1).await), refused(404, "NoSuchUpload"));
}

#[tokio::test]
async fn a_full_object_checksum_is_computed_over_all_parts() {
    let server = Server::start().await;
    let created = create(&server).checksum_algorithm(ChecksumAlgorithm::Crc32).checksum_type(ChecksumType::FullObject);
    let upload = Upload::from(&server, created.send().await.unwrap());
    let one = upload.part(1, b'h', 1).await;
    let wrong = upload.complete(&[&one]).checksum_crc32("AAAAAA==").checksum_type(ChecksumType::FullObject);
    assert_eq!(refusal(wrong.send().await), refused(400, "BadDigest"));
    let done = upload.complete(&[&one]).checksum_type(ChecksumType::FullObject).send().await.unwrap();
    assert_eq!((done.checksum_crc32(), done.checksum_type()), (Some("kWsG5w=="), Some(&ChecksumType::FullObject)));
}
