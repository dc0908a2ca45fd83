import { createHash, createHmac } from 'node:crypto';
import type { S3Access } from './s3-servers.ts';

/** Credentials of a session that may do what a policy allows, and nothing else. */
export interface RoleCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
}

/**
 * Asks minio for credentials under an IAM policy (`AssumeRole` of AWS STS with a session policy, which minio answers at its own address). The
 * request is signed by hand (Signature Version 4): the SDK of STS is not installed.
 */
export async function assumeRole(access: S3Access, policy: unknown): Promise<RoleCredentials> {
  const body = new URLSearchParams({
    Action: 'AssumeRole',
    Version: '2011-06-15',
    DurationSeconds: '3600',
    Policy: JSON.stringify(policy),
  }).toString();
  const { host } = new URL(access.endpoint);
  const time = `${new Date().toISOString().replace(/[-:]/g, '').slice(0, 15)}Z`;
  const date = time.slice(0, 8);
  const scope = `${date}/${access.region}/sts/aws4_request`;
  const type = 'application/x-www-form-urlencoded';
  const signed = 'content-type;host;x-amz-date';
  const headers = `content-type:${type}\nhost:${host}\nx-amz-date:${time}\n`;
  const request = ['POST', '/', '', headers, signed, sha256(body)].join('\n');
  const { accessKeyId, secretAccessKey } = access.credentials;
  const key = [date, access.region, 'sts', 'aws4_request'].reduce(
    hmac,
    Buffer.from(`AWS4${secretAccessKey}`),
  );
  const signature = hmac(key, ['AWS4-HMAC-SHA256', time, scope, sha256(request)].join('\n')).toString('hex');
  const answer = await fetch(`${access.endpoint}/`, {
    method: 'POST',
    body,
    headers: {
      'content-type': type,
      'x-amz-date': time,
      authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`,
    },
  });
  const text = await answer.text();
  const read = (name: string): string => {
    const [, value] = new RegExp(`<${name}>([^<]+)</${name}>`).exec(text) ?? [];
    if (!answer.ok || value === undefined) throw new Error(`AssumeRole failed (${answer.status}): ${text}`);
    return value;
  };
  return {
    accessKeyId: read('AccessKeyId'),
    secretAccessKey: read('SecretAccessKey'),
    sessionToken: read('SessionToken'),
  };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
