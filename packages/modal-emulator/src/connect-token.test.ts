import { describe, expect, it } from 'vitest';
import { admit, createConnectTokens } from './connect-token.ts';

const tokens = createConnectTokens();
const token = tokens.sign({ port: 8080, userData: '{"user":"ana"}' });

describe('connect tokens', () => {
  it('say the port and the user data they were signed for', () => {
    expect(tokens.verify(token)).toEqual({ port: 8080, userData: '{"user":"ana"}' });
    expect(tokens.verify(tokens.sign({ port: 1, userData: '' }))).toEqual({ port: 1, userData: '' });
  });

  it('are worth nothing to another sandbox, cut, changed or made up', () => {
    const [body = '', signature = ''] = token.split('.');
    const other = Buffer.from('[22,""]').toString('base64url');
    expect(createConnectTokens().verify(token)).toBeUndefined();
    for (const bad of [
      '',
      '.',
      body,
      `${body}.`,
      `${other}.${signature}`,
      `${token}.`,
      `${token}A`,
      token.slice(0, -2),
    ])
      expect([bad, tokens.verify(bad)]).toEqual([bad, undefined]);
  });
});

describe('admit', () => {
  const target = (url: string) => admit(tokens, { url, rawHeaders: [] })?.target;

  it('takes the token out of the query and leaves the rest as it was written', () => {
    const parameter = `_modal_connect_token=${token}`;
    expect(target(`/?${parameter}`)).toBe('/');
    expect(target(`/a%2Fb?x=1&${parameter}&y=%20&x`)).toBe('/a%2Fb?x=1&y=%20&x');
    expect(target(`/?${parameter}&${parameter}`)).toBe('/');
  });

  it('takes the token out of the headers and leaves the others, in order and as often as they came', () => {
    const rawHeaders = ['Host', 'x', 'authorization', `bearer  ${token}`, 'Set', '1', 'set', '2'];
    expect(admit(tokens, { url: '/?a', rawHeaders })).toEqual({
      port: 8080,
      userData: '{"user":"ana"}',
      target: '/?a',
      headers: ['Host', 'x', 'Set', '1', 'set', '2'],
    });
  });

  it('leaves a credential of the server alone when the token is in the query', () => {
    const rawHeaders = ['Authorization', 'Bearer of-the-server'];
    expect(admit(tokens, { url: `/?_modal_connect_token=${token}`, rawHeaders })?.headers).toEqual(
      rawHeaders,
    );
    const twice = ['Authorization', `Bearer ${token}`];
    expect(admit(tokens, { url: `/?_modal_connect_token=${token}`, rawHeaders: twice })?.headers).toEqual([]);
  });

  it('admits nobody without a token, and nobody with a bad one in the query beside a good one', () => {
    const rawHeaders = ['Authorization', `Bearer ${token}`];
    expect(target('/')).toBeUndefined();
    expect(target('/?_modal_connect_token=')).toBeUndefined();
    expect(target(`/?x_modal_connect_token=${token}`)).toBeUndefined();
    expect(admit(tokens, { url: '/?_modal_connect_token=bad', rawHeaders })).toBeUndefined();
    expect(admit(tokens, { url: '/', rawHeaders: ['Authorization', `Basic ${token}`] })).toBeUndefined();
  });
});
